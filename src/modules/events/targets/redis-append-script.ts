/**
 * Appends events to a stream, each delivery once, and keeps the newest of each person.
 * KEYS: the stream; then for each event the mark of its delivery and, with a projection, the person's hash. ARGV: the stream's length, for how many seconds a mark is
 * kept, for how many a person's hash is kept after its last event, 0 without a projection; then for each event id, seq, type, source, subject, time, content type, body.
 * Answers for each event the id of its entry, `!` and the error, or `held` where one before it about the same person failed. The mark is set last: were the server
 * to stop in between, the event would be appended twice rather than never.
 */
export const appendScript = `
local answers = {}
local failed = {}
local projects = tonumber(ARGV[3]) > 0
local step = projects and 2 or 1
local count = (#ARGV - 3) / 8
for n = 0, count - 1 do
  local a = 3 + n * 8
  local mark = KEYS[2 + n * step]
  local id, seq, kind, source, subject, time, content, body = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6], ARGV[a + 7], ARGV[a + 8]
  if subject ~= '' and failed[subject] then
    answers[n + 1] = 'held'
  else
    local done = redis.pcall('GET', mark)
    if type(done) == 'table' and done.err then
      answers[n + 1] = '!' .. done.err
    elseif done then
      answers[n + 1] = done
    else
      local fields = {'id', id, 'type', kind, 'source', source, 'time', time, 'content_type', content, 'event', body}
      if subject ~= '' then
        fields[#fields + 1] = 'subject'
        fields[#fields + 1] = subject
      end
      local entry = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(fields))
      if type(entry) == 'table' and entry.err then
        answers[n + 1] = '!' .. entry.err
      else
        redis.call('SET', mark, entry, 'EX', ARGV[2])
        answers[n + 1] = entry
      end
    end
    if string.sub(answers[n + 1], 1, 1) == '!' then
      failed[subject] = true
    elseif projects and subject ~= '' then
      local hash = KEYS[3 + n * step]
      local newest = redis.pcall('HGET', hash, 'seq')
      if type(newest) == 'table' and newest.err then
        answers[n + 1] = '!' .. newest.err
        failed[subject] = true
      elseif not newest or tonumber(newest) < tonumber(seq) then
        redis.call('HSET', hash, 'seq', seq, 'id', id, 'type', kind, 'time', time, 'content_type', content, 'event', body)
        redis.call('EXPIRE', hash, ARGV[3])
      end
    end
  end
end
return answers
`;
