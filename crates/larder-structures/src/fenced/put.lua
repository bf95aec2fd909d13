-- ARGV: fence, how long the value lives, how long the fence is remembered (ms), value.
local newest = int(string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) %d+ '))
if newest and newest > tonumber(ARGV[1]) then return {0, num(newest)} end
local ends = num(now() + tonumber(ARGV[2]))
put(KEYS[1], ARGV[1] .. ' ' .. ends .. ' ' .. ARGV[4], ARGV[3])
return {1, ARGV[1]}
