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
	esac
	case $2 in
	DIR) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
	FILE* | PATH) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
	esac
}

# Arguments of the command $1; $2 have been given before.
_tote_arguments() {
	case $1:$2 in
	:*) _tote_words "$("${words[0]}" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')" ;;
	create:* | run:* | list:* | spec:* | features:* | doctor:* | metrics:*) ;; # a new ID, or nothing
	plan:0) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
	kill:1) _tote_words "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP" ;;
	*:0 | stats:*) _tote_words "$("${words[0]}" "${root[@]}" list -q 2>/dev/null)" ;;
	esac
}

_tote() {
	local cur words cword=$COMP_CWORD i command="" root=() given=0 option="" value
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
			[[ $option == --root && -z $command ]] && root=(--root "${words[i]}")
		elif [ -z "$command" ]; then
			command=${words[i]}
		else
			given=$((given + 1))
		fi
	done
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
