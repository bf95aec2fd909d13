-- KEYS: the stream; what is ours of its groups; ids of messages; when they are forgotten; dead letters.
-- Calls Redis on a stream or a group that may not exist.
local function maybe(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  for _, text in ipairs({'no such key', 'NOGROUP', 'requires the key to exist'}) do
    if string.find(reply.err, text, 1, true) then return nil end
  end
  error(reply)
end
local function named(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end
local function info(key) return named(maybe('XINFO', 'STREAM', key) or {}) end
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function is_after(one, other)
  local ms, seq = parts(one)
  local other_ms, other_seq = parts(other)
  return ms > other_ms or (ms == other_ms and seq > other_seq)
end
-- The id after another: it rises also when the clock steps back.
local function next_id(last, now_ms)
  local ms, seq = parts(last or '0-0')
  if now_ms > ms then return num(now_ms) .. '-0' end
  return num(ms) .. '-' .. num(seq + 1)
end
local function keep(ms)
  ttl(KEYS[1], ms)
  ttl(KEYS[2], ms)
  -- Most logs have none of the others.
  if redis.call('EXISTS', KEYS[3], KEYS[4], KEYS[5]) > 0 then
    for i = 3, 5 do ttl(KEYS[i], ms) end
  end
end
local now_ms = math.floor(now() / 1000)
-- How many more entries one step may read after so many bytes: all that fit into a megabyte, however long they are.
local function fit(bytes) return math.floor((1048576 - bytes) / 65536) end
