# Says to hangdog what a shell script is doing, while it does it, without starting a program. For any POSIX shell.
#
#     . ./hangdog.sh
#     hangdog_begin 'wait for the queue' hang.wait=path:/tmp/project/queue
#     cat queue
#     hangdog_end                           # or: hangdog_end failed, hangdog_end cancelled
#     hangdog_run 'unpack' files=312 -- tar xf toolchain.tar
#
# Each begin and each end is one line, one write to the file that HANGDOG_PHASES names; without it nothing is done.
# Nothing here prints anything or ends the script. Phases nest, and `hangdog_end` ends the innermost. What a script
# does not end is shown as open, also after its end: `trap 'hangdog_end failed' EXIT` ends it.
#
# HANGDOG_PHASE is the innermost open phase; all other names begin with _hangdog_.

_hangdog_open=
_hangdog_count=0
_hangdog_pid=

# hangdog_begin NAME [KEY=VALUE]...
hangdog_begin() {
    _hangdog_me || return 0
    # `hangdog flake` may hold the script at this look; there is nothing to be found.
    [ -n "${HANGDOG_LATE-}" ] && [ -e "/dev/null/hangdog/begin ${1-}" ]
    _hangdog_count=$((_hangdog_count + 1))
    _hangdog_id=$_hangdog_pid-$_hangdog_start-$_hangdog_count
    _hangdog_quote 256 "${1-}"
    _hangdog_name=$_hangdog_quoted
    shift $(($# > 0))
    _hangdog_fields=
    for _hangdog_field in "$@"; do
        case $_hangdog_field in
            --) break ;;
            hang.*=*) _hangdog_quote 1024 "${_hangdog_field#*=}" ;;
            ?*=*) _hangdog_quote 256 "${_hangdog_field#*=}" ;;
            *) continue ;;
        esac
        _hangdog_value=$_hangdog_quoted
        _hangdog_quote 256 "${_hangdog_field%%=*}"
        _hangdog_field="\"$_hangdog_quoted\":\"$_hangdog_value\""
        # What would make the line too long for a single write is left out.
        [ $((${#_hangdog_fields} + ${#_hangdog_field})) -gt 2000 ] && continue
        _hangdog_fields=$_hangdog_fields${_hangdog_fields:+,}$_hangdog_field
    done
    _hangdog_say "\"do\":\"begin\",\"name\":\"$_hangdog_name\",\"tid\":$_hangdog_pid,\"start\":\"$_hangdog_start\",\
\"parent\":\"${HANGDOG_PHASE-}\",\"fields\":{$_hangdog_fields}"
    _hangdog_open="$_hangdog_id|${HANGDOG_PHASE-} $_hangdog_open"
    export HANGDOG_PHASE="$_hangdog_id"
}

# hangdog_end [OUTCOME]: ok, failed or cancelled
hangdog_end() {
    _hangdog_me || return 0
    case $_hangdog_open in
        "$_hangdog_pid-$_hangdog_start-"*) ;;
        *) return 0 ;; # What the shell around has begun is not a subshell's to end.
    esac
    _hangdog_around=${_hangdog_open%% *}
    _hangdog_open=${_hangdog_open#* }
    _hangdog_id=${_hangdog_around%%|*}
    _hangdog_around=${_hangdog_around#*|}
    if [ -n "$_hangdog_around" ]; then export HANGDOG_PHASE="$_hangdog_around"; else unset HANGDOG_PHASE; fi
    _hangdog_say "\"do\":\"end\",\"outcome\":\"${1:-ok}\""
}

# hangdog_run NAME [KEY=VALUE]... -- COMMAND [ARGUMENT]...
# Runs a command or a function as a phase, and returns its code. Under `set -e` a failure ends the script here, as it
# would without, and the phase stays open.
hangdog_run() {
    hangdog_begin "$@"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
    shift $(($# > 0))
    "$@"
    _hangdog_code=$?
    if [ "$_hangdog_code" -eq 0 ]; then hangdog_end; else hangdog_end failed; fi
    return "$_hangdog_code"
}

# Finds out which process this is (a subshell is another than $$) and what time it is. Fails where nobody listens.
_hangdog_me() {
    [ -n "${HANGDOG_PHASES-}" ] && [ -f "$HANGDOG_PHASES" ] && [ -w "$HANGDOG_PHASES" ] || return 1
    { IFS= read -r _hangdog_stat < /proc/self/stat && IFS= read -r _hangdog_uptime < /proc/uptime; } 2> /dev/null ||
        return 1
    _hangdog_uptime=${_hangdog_uptime%% *}
    [ "$_hangdog_pid" = "${_hangdog_stat%% *}" ] && return 0
    _hangdog_pid=${_hangdog_stat%% *}
    # Field 22 of proc_pid_stat(5), counted from behind the name, which may have spaces in it.
    _hangdog_start=${_hangdog_stat##*) }
    for _hangdog_field in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do
        _hangdog_start=${_hangdog_start#* }
    done
    _hangdog_start=${_hangdog_start%% *}
}

# _hangdog_quote LONGEST TEXT: as it stands in JSON. Control characters become spaces.
_hangdog_quote() {
    _hangdog_quoted=
    _hangdog_rest=$2
    [ "${#_hangdog_rest}" -gt "$1" ] && _hangdog_rest=$(printf "%.$1s…" "$_hangdog_rest")
    while :; do
        case $_hangdog_rest in
            *[\\\"[:cntrl:]]*) ;;
            *) break ;;
        esac
        _hangdog_part=${_hangdog_rest%%[\\\"[:cntrl:]]*}
        _hangdog_rest=${_hangdog_rest#"$_hangdog_part"}
        case $_hangdog_rest in
            [\\\"]*) _hangdog_quoted=$_hangdog_quoted$_hangdog_part\\${_hangdog_rest%"${_hangdog_rest#?}"} ;;
            *) _hangdog_quoted="$_hangdog_quoted$_hangdog_part " ;;
        esac
        _hangdog_rest=${_hangdog_rest#?}
    done
    _hangdog_quoted=$_hangdog_quoted$_hangdog_rest
}

_hangdog_say() {
    { printf '{"id":"%s","pid":%s,"uptime":"%s",%s}\n' \
        "$_hangdog_id" "$_hangdog_pid" "$_hangdog_uptime" "$1" >> "$HANGDOG_PHASES"; } 2> /dev/null || :
}
