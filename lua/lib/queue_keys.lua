-- The fixed keys of one queue by name. `keys` is the KEYS of a queue command: always the same
-- 18, in the order of omniq_typed/core/keys.py. `base` is what per-job and per-group keys grow on.
local function queue_keys(keys)
  return {
    base = string.sub(keys[1], 1, -6), -- without ":meta"
    wait = keys[2],
    delayed = keys[3],
    active = keys[4],
    failed = keys[5],
    completed = keys[6],
    groups_ready = keys[7],
    groups_held = keys[8],
    has_groups = keys[9],
    turn = keys[10],
    paused = keys[11],
    stats = keys[12],
    idx_wait = keys[13],
    idx_active = keys[14],
    idx_delayed = keys[15],
    idx_failed = keys[16],
    idx_completed = keys[17],
    wake = keys[18],
  }
end
