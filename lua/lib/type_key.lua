-- The hash of one message type's schemas. `types`: the key of the list of all types, which lies in
-- the same slot.
local function type_key(types, name)
  return string.sub(types, 1, -6) .. 'type:' .. name
end
