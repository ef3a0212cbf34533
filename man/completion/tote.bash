# SPDX-License-Identifier: Apache-2.0
# bash completion for tote. Commands and options are read from its --help, so that they need no list here.

# The options of a command, or the global ones: "-b --bundle DIR" a line, "-" for no letter, no third word for flags.
_tote_options() {
	"${words[0]}" "$@" --help 2>/dev/null |
		sed -nE 's/^  (-(.), |    )--([a-z0-9-]+)( ([^ ]+))?( .*|$)/-\2 --\3 \5/p'
}

# What the value of the option $1 is called in the help of the command $2 (empty: global). Fails for flags.
_tote_value_name() {
	local letter name value
	while read -r letter name value; do
		[[ $1 == "$letter" || $1 == "$name" ]] && [ -n "$value" ] && printf '%s\n' "$value" && return
	done < <(_tote_options ${2:+"$2"})
	return 1
}

_tote_words() {
	COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

# Values of the option $1; $2 is what the help calls them.
_tote_values() {
	case $1 in
	--format | -f) [ "$2" = FORMAT ] && _tote_words "table json" && return ;;
	--log-format) _tote_words "text json" && return ;;
	--log-level) _tote_words "error warning debug" && return ;;
	--cgroup-manager) _tote_words "cgroupfs systemd disabled" && return ;;
	--rootless) _tote_words "true false auto" && return ;;
	--progress) _tote_words "auto plain json none" && return ;;
	--compress) _tote_words "none gzip zstd" && return ;;
	--image-volumes) _tote_words "dir tmpfs ignore" && return ;;
	--network) _tote_words "none host" && return ;;
	--replace-order) _tote_words "stop-first start-first" && return ;;
	--userns) _tote_words "host auto" && return ;;
	--ipc) _tote_words "private host" && return ;;
	--pid | --uts) _tote_words "host" && return ;;
	--name) return ;;
	esac
	case $1:$2 in
	--format:FORM) _tote_words "oci docker" ;;
	--workdir:* | -w:*) ;; # of the container
	*:DIR) _tote_directories ;;
	*:IMAGE) _tote_images ;;
	*:FILE* | *:PATH | *:LIST | *:PROFILE) _tote_files ;;
	esac
}

_tote_directories() {
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen -d -- "$cur"))
}

_tote_files() {
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen -f -- "$cur"))
}

# "pos:1.2" arrives as three words, and what is offered stands for the last one.
_tote_images() {
	local whole=$cur i=$cword
	while ((i > 1)) && [[ ${words[i]} == :* || ${words[i - 1]} == *: ]]; do
		i=$((i - 1))
		whole=${words[i]}$whole
	done
	COMPREPLY=($(compgen -W "$("${words[0]}" "${globals[@]}" images 2>/dev/null | sed '1d; s/ .*//; /^</d')" -- "$whole"))
	COMPREPLY=("${COMPREPLY[@]#"${whole%"${whole##*:}"}"}")
}

# Of the projects that are up, or of the one that the line names.
_tote_services() {
	_tote_words "$("${words[0]}" "${globals[@]}" status "${project[@]}" 2>/dev/null | sed -n '2,$s/^[^ ]*  *\([^ ]*\) .*/\1/p' | sort -u)"
}

# Arguments of the command $1; $2 have been given before.
_tote_arguments() {
	case $1:$2 in
	:*) _tote_words "$("${words[0]}" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')" ;;
	create:* | list:* | spec:* | features:* | doctor:* | metrics:* | images:* | gc:* | df:* | supervise:* | up:* | config:*) ;; # a new ID, or nothing
	down:* | stop:* | restart:* | status:* | logs:* | attach:0) _tote_services ;;
	plan:0 | bundle:1) _tote_directories ;;
	load:0 | import:0) _tote_files ;;
	run:0 | bundle:0 | inspect:* | tag:* | rmi:* | verify:* | save:*) _tote_images ;;
	probe:1) _tote_words "tcp http" ;;
	probe:2) ;;
	kill:1) _tote_words "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP" ;;
	*:0 | stats:*) _tote_words "$("${words[0]}" "${globals[@]}" list -q 2>/dev/null)" ;;
	esac
}

_tote() {
	local cur words cword=$COMP_CWORD i command="" globals=() project=() given=0 option="" value
	words=("${COMP_WORDS[@]}") cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()

	# "--x=y" arrives as three words.
	for ((i = 1; i < cword; i++)); do
		option=""
		if [[ ${words[i]} == -* ]]; then
			value=$(_tote_value_name "${words[i]}" "$command") || continue
			option=${words[i]}
			[ "${words[i + 1]}" = = ] && i=$((i + 1))
			i=$((i + 1))
			[[ $option == --project || $option == -p ]] && project=(-p "${words[i]}")
			[[ $option == --root || $option == --store ]] && [ -z "$command" ] && globals+=("$option" "${words[i]}")
		elif [ -z "$command" ]; then
			command=${words[i]}
		elif [[ ${words[i]} != :* && ${words[i - 1]} != *: ]]; then
			given=$((given + 1))
		fi
	done
	[[ $cur == :* || ${words[cword - 1]} == *: ]] && given=$((given - 1))
	# The loop went past the end: the word to complete is the value of the last option.
	if [[ -n $option ]] && ((i > cword)); then
		[ "$cur" = = ] && cur=""
		_tote_values "$option" "$value"
	elif [[ $cur == -* ]]; then
		_tote_words "$(_tote_options ${command:+"$command"} | cut -d' ' -f2)"
	else
		_tote_arguments "$command" "$given"
	fi
}

complete -F _tote tote
