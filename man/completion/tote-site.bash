# SPDX-License-Identifier: Apache-2.0
# bash completion for tote-site and tote-fleet. Verbs and options are read from their --help.

_tote_script() {
	local cur prev words cword
	_init_completion || return
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$("${words[0]}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort -u)" -- "$cur"))
	elif [ "$cword" -eq 1 ]; then
		COMPREPLY=($(compgen -W "$("${words[0]}" --help 2>/dev/null | sed -nE 's/^  ([a-z][a-z-]*((, [a-z-]+)*))( .*|$)/\1/p' | tr -d ,)" -- "$cur"))
	else
		_filedir
	fi
} && complete -F _tote_script tote-site tote-fleet
