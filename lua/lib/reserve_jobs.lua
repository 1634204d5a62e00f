-- Leases up to `limit` jobs, round robin between the groups and the ungrouped lane: the turn passes
-- with every job granted, and a side that has nothing gives its turn away. The nth job's token is
-- token_prefix-nth. A suspect (lib/reap_leases.lua) is leased alone: it ends a batch that it
-- begins, and goes back where others came before it. `with_groups`: whether any is ready.
-- Returns how many jobs there are; kinds, sides and jobs as reserve answers them; and how many ids
-- have left their lanes.
local function reserve_jobs(q, limit, token_prefix, turn, now, with_groups)
  local taking = { size = limit, budget = limit + 1000, gone = {},
    lane = {}, taken = 0, more = true }
  local take_grouped
  if with_groups then
    -- @include group_key group_state read_bucket whole_tokens next_group take_from_groups
    taking.ready, taking.ready_at, taking.more_ready = {}, 1, true
    taking.touched, taking.groups, taking.throttled = {}, {}, {}
    taking.turned, taking.turned_at = {}, 1
    take_grouped = take_from_groups
  end
  local kinds = { by_gid = {}, rows = {} }
  local jobs, count, sides, sided, ends, entries = {}, 0, {}, 0, {}, {}
  local before, kept = turn, nil
  while count < limit do
    local id, key, v
    if take_grouped and turn == '0' then
      id, key, v = take_grouped(q, taking, now)
    end
    if not id then
      id, key, v = take_ungrouped(q, taking)
    end
    if not id and take_grouped and turn ~= '0' then
      id, key, v = take_grouped(q, taking, now)
    end
    if not id then
      break
    end
    local is_suspect = v[17] == '1'
    if is_suspect and count > 0 then
      kept = { id = id, gid = v[10] }
      local group = with_groups and taking.groups[v[10]]
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
    local side = 0
    if v[5] or v[6] or v[7] then
      at = sided * 4
      sides[at + 1], sides[at + 2], sides[at + 3], sides[at + 4] = v[5] or '', v[6] or '',
        v[7] or '', v[18] or ''
      sided = sided + 1
      side = sided
    end
    at = count * 5
    jobs[at + 1], jobs[at + 2], jobs[at + 3], jobs[at + 4], jobs[at + 5] = id, v[2] or '', kind.nth,
      v[4] or '', side
    count = count + 1
    lease_job(key, v, kind, token_prefix .. '-' .. count, now)
    turn = turn == '0' and '1' or '0'
    if is_suspect then
      break
    end
  end
  index_add(q.active, ends)
  index_add(q.idx_active, entries)
  index_remove(q.idx_wait, taking.gone)
  if taking.taken > 0 then
    redis.call('LTRIM', q.wait, taking.taken, '-1')
  end
  if with_groups then
    -- @include group_key groups_enter next_token_ms write_bucket throttle_group groups_taken
    groups_taken(q, taking, now)
  end
  if kept then
    -- @include group_key group_state groups_enter group_place group_refresh lane_enter
    lane_enter(q, kept.id, kept.gid, now, true)
  end
  if turn ~= before then
    redis.call('SET', q.turn, turn)
  end
  return count, kinds.rows, sides, jobs, #taking.gone + (with_groups and #taking.touched or 0)
end
