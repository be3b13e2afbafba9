"""What a work queue does inside Redis, as Lua: nothing else happens there meanwhile."""

from typing import Final

# Between a look at the marker and its setting two workers could both believe to be the first, and a death would go
# uncounted: hence one script.
DEATHS: Final = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
end
return redis.call('HGET', KEYS[2], ARGV[1]) or 0
"""

# To the end of the queue, for whoever takes it next; with what is known of its deaths. In one script, since it must
# neither get lost nor be there twice; an entry that somebody else took over meanwhile stays theirs.
HAND_BACK: Final = """
for i = 5, #ARGV do
  local id = ARGV[i]
  local held = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if #held > 0 and entry then
    local fields, hops = {}, 0
    for j = 1, #entry[2], 2 do
      if entry[2][j] == ARGV[3] then
        hops = tonumber(entry[2][j + 1])
      else
        fields[#fields + 1] = entry[2][j]
        fields[#fields + 1] = entry[2][j + 1]
      end
    end
    fields[#fields + 1] = ARGV[3]
    fields[#fields + 1] = hops + ARGV[4]
    local again = redis.call('XADD', KEYS[1], '*', unpack(fields))
    local deaths = redis.call('HGET', KEYS[3], id)
    if deaths then redis.call('HSET', KEYS[3], again, deaths) end
  end
  if #held > 0 then
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  end
end
"""

# Who has nothing in hand may be forgotten; in one script, since it could be given something in between.
FORGET_IDLE: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local facts = {}
  for i = 1, #consumer, 2 do facts[consumer[i]] = consumer[i + 1] end
  local gone = facts['name'] == ARGV[2] or facts['idle'] > tonumber(ARGV[3])
  if gone and facts['pending'] == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts['name']) end
end
"""

# Between the question whose an entry is and the claim another worker could take it over: hence one script.
KEEP: Final = """
for i = 3, #ARGV do
  local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if not held.err and #held > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  end
end
"""

# A camera's samples that nobody was given are those after the group's last delivered entry. In one script, since
# between a look and a removal a worker could be given the very entry: its frame would be released under its hands.
_WAITING: Final = """
local after = '-'
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local facts = {}
    for i = 1, #group, 2 do facts[group[i]] = group[i + 1] end
    if facts['name'] == ARGV[1] then after = '(' .. facts['last-delivered-id'] end
  end
end
local waiting = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', ARGV[3])) do
  if entry[2][2] == ARGV[2] then waiting[#waiting + 1] = entry end
end
"""
COUNT: Final = _WAITING + "return #waiting"
SHED: Final = (
    _WAITING
    + """
if #waiting <= tonumber(ARGV[4]) then return false end
redis.call('XDEL', KEYS[1], waiting[1][1])
return waiting[1]
"""
)
