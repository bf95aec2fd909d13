-- KEYS: the writes by key, when each is due, the dead letters, the last version, since when each waits.
-- A version within 2^53, or nil for anything else.
local function number(text)
  local version = tonumber(string.match(text or '', '^%d+$') or '')
  return version and version <= 9007199254740992 and version or nil
end

-- A write is its version and its attempts as text, then the value. Anything else is ignored.
local function read(hash, key)
  local held = redis.call('HGET', hash, key)
  local version, attempts, value = string.match(held or '', '^(%d+) (%d+) (.*)$')
  version = number(version)
  if not version or #attempts > 9 then return nil end
  return {version = version, attempts = tonumber(attempts), value = value}
end

local function write(hash, key, it)
  redis.call('HSET', hash, key, num(it.version) .. ' ' .. num(it.attempts) .. ' ' .. it.value)
end

local function due(key)
  return tonumber(redis.call('ZSCORE', KEYS[2], key) or '')
end

local function waits(key, since)
  redis.call('ZADD', KEYS[5], num(since), key)
end

local function ends(key)
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[5], key)
end

local function keep(micros)
  for _, key in ipairs(KEYS) do ttl(key, math.ceil(micros / 1000)) end
end
