-- What enqueue answers of a job whose id is taken. `fields`: what it would have had, the first
-- `size` of them; the last of a name counts.
local function duplicate_row(nth, key, state, payload, fields, size)
  local msg_type = ''
  for i = 1, size, 2 do
    if fields[i] == 'msg_type' then
      msg_type = fields[i + 1]
    end
  end
  local old = redis.call('HMGET', key, 'payload', 'msg_type')
  local old_payload, old_type = old[1] or '', old[2] or ''
  if old_payload == payload and old_type == msg_type then
    return { nth, 'DUPLICATE', state, 'same' }
  end
  return { nth, 'DUPLICATE', state, 'different', old_payload, old_type }
end
