local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local function num(n) return string.format('%d', n) end
local function put(key, value, ms) return redis.call('SET', key, value, 'PX', string.format('%d', ms)) end
local function ttl(key, ms) return redis.call('PEXPIRE', key, string.format('%d', ms)) end
local function left(key) return redis.call('PTTL', key) end
local function del(key) return redis.call('DEL', key) end
