-- The same six functions by the test's clock: its time is the last argument, and the
-- deadlines of the record's keys are the fields of the last key. The program sees neither.
local larder_now, larder_deadlines = tonumber(ARGV[#ARGV]), KEYS[#KEYS]
local function larder_without_last(list)
  local rest = {}
  for i = 1, #list - 1 do rest[i] = list[i] end
  return rest
end
local KEYS, ARGV = larder_without_last(KEYS), larder_without_last(ARGV)

local function now() return larder_now end
local function num(n) return string.format('%d', n) end
-- A test that takes longer than four hours would see keys end by the server's clock.
local function larder_real(ms) return num(math.max(ms, 14400000)) end
local function larder_keep(key, ms)
  redis.call('HSET', larder_deadlines, key, num(larder_now + ms * 1000))
  if redis.call('PTTL', larder_deadlines) < tonumber(larder_real(ms)) then
    redis.call('PEXPIRE', larder_deadlines, larder_real(ms))
  end
end
local function put(key, value, ms)
  ms = tonumber(num(ms))
  if ms < 1 then return redis.call('SET', key, value, 'PX', num(ms)) end
  local reply = redis.call('SET', key, value, 'PX', larder_real(ms))
  larder_keep(key, ms)
  return reply
end
local function del(key)
  redis.call('HDEL', larder_deadlines, key)
  return redis.call('DEL', key)
end
local function ttl(key, ms)
  ms = tonumber(num(ms))
  if ms < 1 then return del(key) end
  local reply = redis.call('PEXPIRE', key, larder_real(ms))
  if reply == 1 then larder_keep(key, ms) end
  return reply
end
local function left(key)
  local deadline = redis.call('HGET', larder_deadlines, key)
  if not deadline then return redis.call('PTTL', key) end
  return math.ceil((tonumber(deadline) - larder_now) / 1000)
end

local function larder_program()
