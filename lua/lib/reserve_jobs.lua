-- Leases up to `limit` jobs, round robin between the groups and the ungrouped lane: the turn passes
-- with every job granted, and a side that has nothing gives its turn away. The nth job's token is
-- token_prefix-nth. A suspect (lib/reap_leases.lua) is leased alone: it ends a batch that it
-- begins, and goes back where others came before it. Returns how many jobs there are, the kinds and
-- the jobs as reserve answers them, and whether a lane has changed.
local function reserve_jobs(q, limit, token_prefix, turn, now)
  local taking = { size = limit, budget = limit + 1000, gone = {},
    page = {}, at = 1, taken = 0, more = true,
    ready = {}, ready_at = 1, more_ready = true,
    touched = {}, groups = {}, turned = {}, turned_at = 1, throttled = {} }
  local kinds = { found = {}, rows = {} }
  local jobs, count, ends, entries, before, kept = {}, 0, {}, {}, turn, nil
  while count < limit do
    local id, v
    if turn == '0' then
      id, v = take_from_groups(q, taking, now)
      if not id then
        id, v = take_ungrouped(q, taking)
      end
    else
      id, v = take_ungrouped(q, taking)
      if not id then
        id, v = take_from_groups(q, taking, now)
      end
    end
    if not id then
      break
    end
    local is_suspect = v[19] == '1'
    if is_suspect and count > 0 then
      kept = { id = id, gid = v[11] }
      local group = taking.groups[v[11]]
      if group then
        group.granted = group.granted - 1
        if group.bucket then
          group.bucket.tokens = group.bucket.tokens + 1
        end
      end
      break
    end
    local kind = kind_of(kinds, v, now)
    local at = count * 2
    ends[at + 1], ends[at + 2] = kind.until_ms, id
    entries[at + 1], entries[at + 2] = now, id
    at = count * 8
    jobs[at + 1], jobs[at + 2], jobs[at + 3], jobs[at + 4] = id, v[2] or '', kind.nth, v[4] or ''
    jobs[at + 5], jobs[at + 6], jobs[at + 7], jobs[at + 8] = v[5] or '', v[6] or '', v[7] or '',
      v[8] or ''
    count = count + 1
    lease_job(q, id, v, kind, token_prefix .. '-' .. count, now)
    turn = turn == '0' and '1' or '0'
    if is_suspect then
      break
    end
  end
  index_add(q.active, ends)
  index_add(q.idx_active, entries)
  jobs_taken(q, taking, now)
  if kept then
    lane_enter(q, kept.id, kept.gid, now, true)
  end
  if turn ~= before then
    redis.call('SET', q.turn, turn)
  end
  return count, kinds.rows, jobs, #taking.gone + #taking.touched > 0
end
