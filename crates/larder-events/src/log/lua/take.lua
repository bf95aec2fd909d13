-- ARGV: group, consumer, how many, lease in milliseconds, the most pending, the most deliveries, the most
-- dead letters, TTL, how many events the consumer knows that the group has lost, whether it is its first read, the
-- generation of the group that has lost them.
local group, me, many, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local g, waits = load(group), maybe('XPENDING', KEYS[1], group)
if not g or not waits then return {0, {0, 0, 0, 0}, '', 0, 0, {}} end
if ARGV[10] == '1' then sweep(group) end
local waiting, events, bytes = waits[1], {}, 0
-- An answer may be lost, so the group knows what it was told by the next read of the consumer.
local known, told = tonumber(ARGV[9]), g.told
local is_same = tonumber(ARGV[11]) == g.generation
if is_same and known > told and known <= g.lost then g.told = known end
local function give(entries, counts)
  for _, entry in ipairs(entries) do
    local event = event(entry[2])
    bytes = bytes + #(event or '')
    for _, part in ipairs({entry[1], counts[entry[1]] or 1, event}) do events[#events + 1] = part end
  end
end

if waiting == 0 then g.due = nil end
if waiting > 0 and (not g.due or g.due <= now_ms) then
  g.due = nil
  local ids, counts, dues, buried, from = {}, {}, {}, 0, 1
  for _, it in ipairs(pending(group, 2000)) do
    local due = it.delivered + lease
    local is_spent = it.count >= tonumber(ARGV[6])
    if due <= now_ms and is_spent and buried < 64 then
      bury(group, it.id, it.count, 'too many deliveries', ARGV[7])
      buried = buried + 1
    elseif due <= now_ms and not is_spent and #ids < many then
      ids[#ids + 1] = it.id
      counts[it.id], dues[it.id] = it.count + 1, due
    else
      is_due_at(g, due)
    end
  end
  waiting = waiting - buried
  while from <= #ids and fit(bytes) > 0 do
    local upto = math.min(#ids, from - 1 + fit(bytes))
    local call = {'XCLAIM', KEYS[1], group, me, 0}
    for i = from, upto do call[#call + 1] = ids[i] end
    call[#call + 1] = 'TIME'
    call[#call + 1] = num(now_ms)
    local claimed = redis.call(unpack(call))
    give(claimed, counts)
    -- Somebody has deleted the others.
    local deleted = upto - from + 1 - #claimed
    waiting, g.lost, from = waiting - deleted, g.lost + deleted, upto + 1
  end
  for i = from, #ids do is_due_at(g, dues[ids[i]]) end
end

local wanted = many - #events / 3
local room = math.min(wanted, tonumber(ARGV[5]) - waiting)
local left = room
while left > 0 and fit(bytes) > 0 do
  local count = math.min(left, fit(bytes))
  local read = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', count, 'STREAMS', KEYS[1], '>')
  if not read then break end
  local entries, ids = read[1][2], {}
  for i, entry in ipairs(entries) do
    local n = tonumber(named(entry[2]).n) or g.read + 1
    g.lost = g.lost + math.max(n - 1 - g.read, 0)
    g.read = n
    ids[i] = entry[1]
  end
  -- Redis has noted when it delivered them: in this same millisecond, unless its clock has ticked since.
  local t = redis.call('TIME')
  if t[1] * 1000 + math.floor(t[2] / 1000) ~= now_ms then assign(group, me, ids, now_ms) end
  give(entries, {})
  left = #entries < count and 0 or left - count
end
if #events > 0 then is_due_at(g, now_ms + lease) end
save(group, g)
keep(ARGV[8])
local is_full = room <= 0 and wanted > 0
local losses = {num(g.lost), num(g.told), num(g.told - told), num(g.generation)}
local is_cut = fit(bytes) <= 0
return {1, losses, g.due and num(g.due - now_ms) or '', is_full and 1 or 0, is_cut and 1 or 0, events}
