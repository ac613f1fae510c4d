# Completion of tarn for bash: the words come from the command itself.
_tarn() {
    local word=${COMP_WORDS[COMP_CWORD]} tarn=${COMP_WORDS[0]} i
    local -a path=()

    if [[ $word == -* || $COMP_CWORD -le 2 ]]; then
        for ((i = 1; i < COMP_CWORD; i++)); do
            [[ ${COMP_WORDS[i]} == -* ]] && continue
            "$tarn" help --names "${path[@]}" "${COMP_WORDS[i]}" >/dev/null 2>&1 || continue
            path+=("${COMP_WORDS[i]}")
        done
        mapfile -t COMPREPLY < <(
            compgen -W "$("$tarn" help --names "${path[@]}" 2>/dev/null)" -- "$word")
    fi
    [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _tarn tarn
