# SPDX-License-Identifier: Apache-2.0
# Manual pages and shell completion. `make install` works without scdoc, then without the pages.

MAN_PAGES := $(patsubst man/%.scd,$(BUILD)/man/%,$(wildcard man/*.scd))
SCDOC := $(shell command -v scdoc)

man: $(if $(SCDOC),$(MAN_PAGES))
ifndef SCDOC
	@echo "man: skipped, scdoc is missing (Debian package scdoc)"
endif

$(BUILD)/man/%: man/%.scd
	@mkdir -p $(@D)
	$(SCDOC) < $< > $@

install-man: man
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 644 man/completion/tote.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tote
	install -m 644 man/completion/tote-site.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tote-site
	ln -sf tote-site $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tote-fleet
	install -m 644 man/completion/_tote $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tote
ifdef SCDOC
	for section in 5 7 8; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$section; \
		install -m 644 $(BUILD)/man/*.$$section $(DESTDIR)$(PREFIX)/share/man/man$$section || exit; \
	done
endif

.PHONY: man install-man
