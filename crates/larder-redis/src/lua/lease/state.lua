-- A lease is "fence deadline", or "fence 0" once it was given back, and ends with an f where
-- somebody follows.
local function state() return string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) (%d+)(f?)$') end
