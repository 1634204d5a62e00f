-- The structured reason of a failure, as stored in the job's `failure` field. `errors` is a JSON
-- array as text; cjson cannot write an empty one.
local function failure_json(reason, message, errors, attempt, now)
  if errors == '' then
    errors = '[]'
  end
  return string.format('{"reason":%s,"message":%s,"errors":%s,"attempt":%d,"at_ms":%d}',
    cjson.encode(reason), cjson.encode(message), errors, attempt, now)
end
