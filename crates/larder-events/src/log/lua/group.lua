-- What is ours of a group: how many events it has read, has lost, knows that it has lost, the moment in
-- milliseconds before which no lease of its pending events ends, and the generation, which is another one when it
-- is created again and was not yet written at first. What is not of this form was not written here, and counts as
-- absent.
local function load(group)
  local text = redis.call('HGET', KEYS[2], group)
  local read, lost, told, due, generation = string.match(text or '', '^(%d+)|(%d+)|(%d+)|(%d*)|?(%d*)$')
  if not read then return nil end
  local g = {
    read = tonumber(read), lost = tonumber(lost), told = tonumber(told), due = tonumber(due),
    generation = tonumber(generation) or 0,
  }
  local most = math.max(g.read, g.lost, g.told, g.due or 0)
  if most < 9007199254740992 and g.generation < 4294967296 then return g end
end
local function save(group, g)
  local due = g.due and num(g.due) or ''
  local parts = {num(g.read), num(g.lost), num(g.told), due, num(g.generation)}
  redis.call('HSET', KEYS[2], group, table.concat(parts, '|'))
end
local function is_due_at(g, at) g.due = math.min(g.due or at, at) end
-- Those that are pending, and when each was delivered. The server says how long ago that was, by a clock
-- that may tick between two commands.
local function pending(group, many)
  for try = 1, 10 do
    local t = redis.call('TIME')
    local found = maybe('XPENDING', KEYS[1], group, '-', '+', many)
    local again = redis.call('TIME')
    local ms = t[1] * 1000 + math.floor(t[2] / 1000)
    if #(found or {}) > 100 or try == 10 or ms == again[1] * 1000 + math.floor(again[2] / 1000) then
      local list = {}
      for i, it in ipairs(found or {}) do
        list[i] = {id = it[1], owner = it[2], delivered = ms - it[3], count = it[4]}
      end
      return list
    end
  end
end
-- Gives pending events to a consumer, as of a moment. Their counts stay.
local function assign(group, consumer, ids, at)
  local call = {'XCLAIM', KEYS[1], group, consumer, 0}
  for _, id in ipairs(ids) do call[#call + 1] = id end
  for _, word in ipairs({'TIME', num(math.max(at, 0)), 'JUSTID'}) do call[#call + 1] = word end
  return redis.call(unpack(call))
end
-- Consumers that have nothing are only names, which processes that crashed have left.
local function sweep(group)
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
    local found = named(flat)
    if found.pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, found.name) end
  end
end
local function event(fields) return named(fields).event or false end
-- Moves an event of a group to the dead letters.
local function bury(group, id, count, reason, max_dead)
  local found = redis.call('XRANGE', KEYS[1], id, id)[1]
  redis.call('XACK', KEYS[1], group, id)
  if not found then return end
  local last = info(KEYS[5])['last-generated-id']
  redis.call('XADD', KEYS[5], next_id(last, now_ms), 'event', event(found[2]) or '', 'group', group,
    'id', id, 'deliveries', num(count), 'reason', reason)
  redis.call('XTRIM', KEYS[5], 'MAXLEN', max_dead)
end
