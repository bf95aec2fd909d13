-- ARGV: how long ids of messages are remembered in milliseconds, the most ids, the length to keep, the greatest
-- length, the age to keep in milliseconds ('': any), TTL; then for each event its JSON and the id of its message
-- ('': none).
local remembered, max_ids = tonumber(ARGV[1]), tonumber(ARGV[2])
local max_len, hard_len, age = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local many = (#ARGV - 6) / 2
local log = info(KEYS[1])
local last, added, len = log['last-generated-id'], log['entries-added'] or 0, log.length or 0
local is_any = false

-- The answer to a message that is not appended.
local function known(message)
  local id, due = redis.call('HGET', KEYS[3], message), redis.call('ZSCORE', KEYS[4], message)
  if id and parts(id) and due and tonumber(due) > now_ms then return {id, 0} end
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', num(now_ms), 'LIMIT', 0, 64)) do
    redis.call('HDEL', KEYS[3], old)
    redis.call('ZREM', KEYS[4], old)
  end
  if redis.call('HLEN', KEYS[3]) >= max_ids then return {'0-0', 2} end
end

local function append(event, message)
  local answer = message ~= '' and known(message)
  if answer then return answer end
  local id = next_id(last, now_ms)
  redis.call('XADD', KEYS[1], id, 'event', event, 'n', num(added + 1))
  last, added, len, is_any = id, added + 1, len + 1, true
  if message ~= '' then
    redis.call('HSET', KEYS[3], message, id)
    redis.call('ZADD', KEYS[4], num(now_ms + remembered), message)
  end
  return {id, 1}
end

local written = {}
for i = 7, #ARGV, 2 do written[#written + 1] = append(ARGV[i], ARGV[i + 1]) end
if not is_any then return written end

-- What is past a bound is removed, oldest first: up to what a group still needs, or past the hard bound.
local excess, oldest, most = len - max_len, log['first-entry'], 63 + many
local is_old = age and oldest and parts(oldest[1]) < now_ms - age
if excess > 0 or is_old then
  local cut, first, groups = is_old and most or math.min(excess, most), {oldest}, {}
  if is_old or (log.groups or 0) > 0 then
    -- The oldest is known: alone it is not read again.
    if cut > 1 or not oldest then first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', cut) end
    for i, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
      local found = named(flat)
      local waits = found.pending > 0 and redis.call('XPENDING', KEYS[1], found.name, '-', '+', 1)[1]
      groups[i] = {name = found.name, last = found['last-delivered-id'], pending = waits and waits[1]}
    end
    local function is_needed(it)
      for _, group in ipairs(groups) do
        if is_after(it, group.last) or (group.pending and not is_after(group.pending, it)) then return true end
      end
    end
    cut = 0
    for i, entry in ipairs(first) do
      local is_over = i <= excess or (age and parts(entry[1]) < now_ms - age)
      if not is_over or (i > len - hard_len and is_needed(entry[1])) then break end
      cut = i
    end
  end
  if cut > 0 then
    redis.call('XTRIM', KEYS[1], 'MAXLEN', len - cut)
    -- What was pending past the hard bound is lost for its group, which is told of it.
    for _, group in ipairs(groups) do
      if group.pending and not is_after(group.pending, first[cut][1]) then
        local g = load(group.name)
        local gone = redis.call('XPENDING', KEYS[1], group.name, '-', first[cut][1], most)
        for _, it in ipairs(gone) do redis.call('XACK', KEYS[1], group.name, it[1]) end
        if g then
          g.lost = g.lost + #gone
          save(group.name, g)
        end
      end
    end
  end
end
keep(ARGV[6])
wake()
return written
