-- ARGV: group, start ('first', 'now' or an id), the most groups, TTL.
local group, start = ARGV[1], ARGV[2]
local is_there = load(group) and maybe('XPENDING', KEYS[1], group)
if is_there then
  -- Consumers that have nothing are only names, which processes that crashed have left.
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
    local found = named(flat)
    if found.pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, found.name) end
  end
  keep(ARGV[4])
  return 0
end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[3]) then return 2 end
local log = info(KEYS[1])
local added = log['entries-added'] or 0
local from, read = start, added
if start == 'first' then
  from, read = '0-0', added - (log.length or 0)
elseif start == 'now' then
  from = log['last-generated-id'] or '0-0'
else
  local next = redis.call('XRANGE', KEYS[1], '(' .. start, '+', 'COUNT', 1)[1]
  if next then read = (tonumber(named(next[2]).n) or added) - 1 end
end
redis.pcall('XGROUP', 'DESTROY', KEYS[1], group)
redis.call('XGROUP', 'CREATE', KEYS[1], group, from, 'MKSTREAM')
save(group, {read = read, lost = 0, told = 0})
keep(ARGV[4])
return 1
