local at, value = now(), false
if ARGV[1] == '' then
  value = redis.call('GET', KEYS[1])
  if value and #value >= 16 then return value end
  value = false
else
  local version = redis.call('GETRANGE', KEYS[1], 0, 15)
  if #version == 16 then
    if version ~= ARGV[1] then return redis.call('GET', KEYS[1]) end
    value = true
  end
end
local last, deadline = state()
if last and tonumber(deadline) > at then return value and -1 or -2 end
local fence = at
if last and tonumber(last) >= at then fence = tonumber(last) + 1 end
local hold = tonumber(ARGV[2])
redis.call('SET', KEYS[2], num(fence) .. ' ' .. num(at + hold), 'PX', num(hold / 1000 + 60000))
return fence
