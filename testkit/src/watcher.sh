# Outlives the test process by a moment. Its stdin closes when that process ends, however it ends;
# then it stops the processes that still run and removes the folders.
#   started PID SIGNAL    ended PID    folder PATH
trap '' HUP INT QUIT TERM

# A zombie has ended, even where nobody waits for it.
runs() {
    kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

running=
while read -r what argument; do
    case $what in
        started) running="$running ${argument% *}:${argument#* }" ;;
        ended)
            kept=
            for one in $running; do
                [ "${one%:*}" = "$argument" ] || kept="$kept $one"
            done
            running=$kept
            ;;
        folder) set -- "$@" "$argument" ;;
    esac
done

for one in $running; do
    kill -"${one#*:}" "${one%:*}" 2>/dev/null
done
for one in $running; do
    pid=${one%:*}
    tries=0
    while runs "$pid" && [ $tries -lt 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -KILL -- "-$pid" 2>/dev/null
done
for folder; do
    [ -e "$folder" ] || continue
    rm -rf -- "$folder" 2>/dev/null || { sleep 0.5 && rm -rf -- "$folder"; }
done
