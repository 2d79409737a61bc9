# SPDX-License-Identifier: Apache-2.0
"""The plans of the demo, as an engineer would keep them in Git."""

PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {{name: {name}}}
spec:
  release: bearing-vibration@{version}
  strata: [labels.machine_type, class]     # no target: every device of the site
{stages}
  on_fail: ROLLBACK
  attempt: {{deadline: 60s, retries: 3, backoff: 1s}}
  offline: {{skip_after: 3s}}
"""

FIRST = """\
  stages:
    - {name: fleet, size: 100%, soak: 2s, max_in_flight: 40}
  gates:
    - failures: {max: 10%}"""

CANARY = """\
  stages:
    - {name: canary, size: 30%, soak: 3s, timeout: 2m}
    - {name: fleet, size: 100%, soak: 2s, timeout: 2m, gates: [{failures: {max: 10%}}]}
  gates:
    - failures: {max: 10%}
    - accuracy: {non_inferior_by: 8pp, alpha: 5%, per: labels.machine_type}"""

AT_ONCE = """\
  stages:
    - {name: fleet, size: 100%, soak: 2s}
  gates:
    - failures: {max: 20%}"""


def plan(name, version, stages):
    return PLAN.format(name=name, version=version, stages=stages)
