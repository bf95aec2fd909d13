local larder_waiters = table.remove(KEYS)
local function wake()
  -- A failure here is not an error: waiters look again from time to time.
  if redis.pcall('GET', larder_waiters) == '1' and redis.pcall('PUBLISH', larder_waiters, '') == 0 then
    redis.pcall('DEL', larder_waiters)
  end
end
