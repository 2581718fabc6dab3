"""How good the cuts are: every metric of events.md "Scores", the baselines beside, and intervals for both.

Plain functions of marks (`marks`), no files and no workspace: `jobs.score` brings both. Every metric is a ratio of
sums over episodes (`ratios`), which is what pooling and the paired bootstrap over episodes need.
"""
