"""The webhook that takes KCIs (contract 4.3): HTTP on one side, the flow `publish_kci` on the other."""
