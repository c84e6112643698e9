#!/bin/bash
# Start a cluster, run a study on it, bring the results back, stop it:
#
#     cluster/run.sh CLUSTER.yaml STUDY [OPTIONS of `ptq-vs-qat run`]
#
# STUDY is a TOML file, or the name of a shipped study. Results: results/ and the study's name.
# Interrupted or failed, it still brings what there is; the same command goes on from there. With
# `--out s3://...` results go there, and nothing is brought.
# Needs Ray's `ray` in PATH. From the root of the repository.
set -euo pipefail

if [[ $# -lt 2 || ! -f $1 ]]; then
  echo "error: found '$*'; allowed: $0 CLUSTER.yaml STUDY [OPTIONS]" >&2
  exit 2
fi
cluster=$1 study=$2
shift 2
name=$(basename "$study" .toml)
there='~/ptq-vs-qat' # the head's home, not this one's
stored=false
[[ " $* " == *" --out s3://"* || " $* " == *" --out gs://"* ]] && stored=true

finish() {
  code=$?
  trap '' INT TERM HUP
  if $stored; then
    ray down --yes "$cluster"
    exit $code
  fi
  mkdir -p results
  if ray rsync-down "$cluster" "$there/results/$name" results/; then
    ray down --yes "$cluster"
  else
    echo "error: no results/$name came back; the cluster may still run: ray down $cluster" >&2
    exit 1
  fi
  exit $code
}

[[ -s ~/.ray/auth_token ]] || ray get-auth-token --generate > /dev/null
chmod 600 ~/.ray/auth_token
trap finish EXIT
ray up --yes "$cluster"
if [[ -f $study ]]; then
  ray rsync-up "$cluster" "$study" "$there/$name.toml"
  study=$name.toml
fi
# What an earlier cluster has computed, if this head has nothing of it yet.
if ! $stored && [[ -d results/$name/cells ]] && ! ray exec "$cluster" "test -d $there/results/$name" &> /dev/null; then
  ray exec "$cluster" "mkdir -p $there/results"
  ray rsync-up "$cluster" "results/$name" "$there/results/"
fi
# `ray submit` hands its arguments to a shell on the head: quoted once more here.
ray submit "$cluster" cluster/submit.py $(printf '%q ' "$study" "$@")
