-- ARGV: group, start ('first', 'now' or an id), the most groups, TTL, generation.
local group, start = ARGV[1], ARGV[2]
local in_stream = maybe('XPENDING', KEYS[1], group)
if in_stream and load(group) then
  sweep(group)
  keep(ARGV[4])
  return 0
end
if redis.call('HLEN', KEYS[2]) - redis.call('HEXISTS', KEYS[2], group) >= tonumber(ARGV[3]) then return 2 end
-- A group of which only this record knows nothing begins with all that is kept, and misses nothing.
if in_stream then start = 'first' end
local log = info(KEYS[1])
local added, last = log['entries-added'] or 0, log['last-generated-id'] or '0-0'
local from, read = start, added
if start == 'first' then
  from, read = '0-0', added - (log.length or 0)
elseif start == 'now' or is_after(start, last) then
  from = last
else
  local next = redis.call('XRANGE', KEYS[1], '(' .. start, '+', 'COUNT', 1)[1]
  if next then read = (tonumber(named(next[2]).n) or added) - 1 end
end
redis.pcall('XGROUP', 'DESTROY', KEYS[1], group)
redis.call('XGROUP', 'CREATE', KEYS[1], group, from, 'MKSTREAM')
save(group, {read = read, lost = 0, told = 0, generation = tonumber(ARGV[5])})
keep(ARGV[4])
return 1
