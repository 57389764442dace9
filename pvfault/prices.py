"""What Amazon EMR Serverless charges.

Benchmarks, job runs and the costs of a deployment are all counted with them. Prices of Amazon's other services are in
`pvfault_deploy/costs.py`.
"""

# us-east-1, x86, Linux. AWS' price page could not be opened from where this was written; both rates stand, the same, in
# several public repositories that calculate EMR Serverless' costs (looked up on 2026-11-24). Check them at
# https://aws.amazon.com/emr/pricing/ before you decide by them.
DOLLARS_PER_VCPU_HOUR = 0.052624
DOLLARS_PER_GB_HOUR = 0.0057785
# Each worker has 20 GB of disk for nothing; EMR Serverless bills what goes beyond, at a price that was not looked up.
SOURCE = "us-east-1, x86, without disk beyond 20 GB a worker: https://aws.amazon.com/emr/pricing/"
