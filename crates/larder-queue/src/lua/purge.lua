-- ARGV: a part of the record, and how many. A token of a group stands for its first job, as in a dequeue.
local band, many = ARGV[2], tonumber(ARGV[3])
local ids, members = {}, {}
if band == 'group' then
  members = redis.call('ZRANGEBYLEX', KEYS[3], '[w', '(x', 'LIMIT', 0, many)
  for i, member in ipairs(members) do
    ids[i] = string.sub(member, string.find(member, '%z') + 18)
  end
elseif band == 'dead' then
  ids = redis.call('ZRANGE', KEYS[4], 0, many - 1)
elseif band == 'done' then
  ids = redis.call('ZRANGE', KEYS[5], 0, many - 1)
else
  local ranges = {ready = {'-inf', '(0'}, scheduled = {0, '(4503599627370496'}, leased = {LEASED, '(+inf'}}
  local range = ranges[band]
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], range[1], range[2], 'LIMIT', 0, many)) do
    local n, g = #ids + 1, string.byte(id, 1) == 0 and string.sub(id, 2)
    if g then
      members[n] = first_of(g)
      if not members[n] then redis.call('ZREM', KEYS[2], id) end
      id = members[n] and string.sub(members[n], #g + 20)
    end
    ids[n] = id
  end
end
for i, id in ipairs(ids) do
  changed = true
  if band == 'done' then
    redis.call('ZREM', KEYS[5], id)
  else
    local j = load(id)
    if j then
      leave(id, j)
    else
      redis.call('ZREM', KEYS[2], id)
      -- Otherwise it would be found again, for ever.
      local member = members[i]
      if member then
        redis.call('ZREM', KEYS[3], member)
        offer(string.sub(member, 2, string.find(member, '%z') - 1))
      end
    end
    redis.call('ZREM', KEYS[4], id)
    forget(id)
  end
end
wakes = placed or band == 'leased' and changed
local reply = #ids
