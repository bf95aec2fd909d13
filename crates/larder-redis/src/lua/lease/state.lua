-- A lease is "fence deadline", or "fence 0" once it was released.
local function state() return string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) (%d+)$') end
