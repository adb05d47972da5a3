# What the tests of the shell client run: each function is a program of its own, named on the command line.
set -eu

. "${0%/*}/../hangdog.sh"

nested() {
    hangdog_begin outer hang.op=build n=1
    hangdog_run inner hang.wait=lock:cache -- true
    hangdog_run inner -- hangdog_run innermost -- true
    hangdog_end
    hangdog_begin 'by hand'
    hangdog_end cancelled
    hangdog_end
}

outcomes() {
    hangdog_run failed -- sh -c 'exit 7' || [ $? -eq 7 ]
    (
        set +e
        hangdog_run 'failed in a subshell' -- false
        [ $? -eq 1 ]
    )
    (
        trap 'hangdog_end failed' EXIT
        hangdog_begin 'ended by a trap'
        false
    ) || :
}

fork() {
    hangdog_begin before
    (
        hangdog_begin child
        hangdog_end
        hangdog_end
    )
    hangdog_run parent -- true
    hangdog_end
}

# Words that are no field, a separator that the script has changed, and letters that JSON writes otherwise.
huge() {
    IFS=/
    long=$(printf '%5000s' y)
    hangdog_begin "$(printf '%5000s' x)" "hang.wait=path:$long" "note=$long" 'no field' =empty
    hangdog_begin letters 'quoted="\	
' "cut=$(printf '%0400d' 1)" "$long=v" 'glob=*'
    hangdog_end
    hangdog_end
}

hang() {
    hangdog_begin 'wait for the queue' hang.wait=path:"$PWD"/queue
    cat queue
    hangdog_end
}

"$1"
echo done
