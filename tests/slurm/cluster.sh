#!/bin/bash
# A Slurm cluster of one node, this machine, for tests. Needs Debian's packages slurm-wlm and munge, and root.
#
#   cluster.sh start FOLDER    configuration, state and logs in FOLDER; prints what to export
#   cluster.sh stop FOLDER
#   cluster.sh test            starts a cluster, runs the sweep tests on it and stops it
set -euo pipefail

start() {
    local folder=$1 host memory
    host=$(hostname -s)
    memory=$(slurmd -C | sed -n 's/.*RealMemory=\([0-9]*\).*/\1/p')
    mkdir -p "$folder/state" "$folder/spool" /run/munge
    chown munge: /run/munge
    pgrep -x munged >/dev/null || runuser -u munge -- munged
    cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
# A requeued task waits until its old credential has expired.
AuthInfo=cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=10
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    export SLURM_CONF=$folder/slurm.conf
    slurmctld
    slurmd
    for _ in $(seq 60); do
        if [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ]; then
            echo "export SLURM_CONF=$SLURM_CONF"
            return
        fi
        sleep 0.5
    done
    echo "the node did not come up; see $folder/*.log" >&2
    exit 1
}

stop() {
    local folder=$1 daemon pid
    for daemon in slurmd slurmctld; do
        [ -s "$folder/$daemon.pid" ] || continue
        pid=$(cat "$folder/$daemon.pid")
        kill "$pid" || continue
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    done
}

case ${1:-} in
start) start "$2" ;;
stop) stop "$2" ;;
test)
    folder=$(mktemp -d)
    trap 'stop "$folder"; rm -rf "$folder"' EXIT
    start "$folder"
    MICSE_SLURM=1 cargo test --release --workspace --test sweep_slurm -- --nocapture
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
