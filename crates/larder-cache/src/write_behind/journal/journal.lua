-- KEYS: the writes by key, when each is due, the dead letters, the last version, since when each waits, those that
-- are left for another release by form and key, since when each is left.
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

-- The form of a value: its layout, its codec, its schema, and whether it is sealed. All have 10 bytes.
local function form(value)
  if #value < 32 then return string.rep('\0', 10) end
  local is_sealed = math.floor(string.byte(value, 26) / 2) % 2
  return string.sub(value, 1, 4) .. string.sub(value, 25, 25) .. string.sub(value, 29, 32) .. num(is_sealed)
end

-- A write that is left for another release is not due.
local function due(key)
  return tonumber(redis.call('ZSCORE', KEYS[2], key) or '')
end

local function waits(key, since)
  redis.call('ZADD', KEYS[5], num(since), key)
end

-- Since when a write is left, from now on if it was not.
local function left(key, now)
  redis.call('ZADD', KEYS[7], 'NX', num(now), key)
  return tonumber(redis.call('ZSCORE', KEYS[7], key))
end

local function is_left_no_more(key, held)
  redis.call('ZREM', KEYS[6], form(held.value) .. key)
  redis.call('ZREM', KEYS[7], key)
end

local function ends(key, held)
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[5], key)
  if held then is_left_no_more(key, held) end
end

local function dies(key, held)
  write(KEYS[3], key, held)
  ends(key, held)
end

local function keep(micros)
  for _, key in ipairs(KEYS) do ttl(key, math.ceil(micros / 1000)) end
end
