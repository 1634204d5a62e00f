-- active -> completed, all jobs at once, the last one at the head; the newest `keep` of the lane
-- stay. `keys`: the hashes of the `ids`. Slots of groups are the caller's work.
local function complete_jobs(q, ids, keys, keep, now)
  if #ids == 0 then
    return
  end
  index_remove(q.active, ids)
  index_remove(q.idx_active, ids)
  -- Those that would not stay are not written first.
  local passing = math.max(#ids - keep, 0)
  local kept, entries, unwanted = {}, {}, {}
  for i = 1, passing do
    unwanted[i] = keys[i]
  end
  for i = passing + 1, #ids do
    local id, n = ids[i], i - passing
    redis.call('HSET', keys[i], 'state', 'completed', 'completed_ms', now, 'updated_ms', now,
      'lock_until_ms', '', 'lease_token', '')
    kept[n], entries[n * 2 - 1], entries[n * 2] = id, now, id
  end
  delete_keys(unwanted)
  index_add(q.idx_completed, entries)
  local length = list_push_heads(q.completed, kept) or redis.call('LLEN', q.completed)
  if length > keep then
    trim_completed(q, length - keep)
  end
end
