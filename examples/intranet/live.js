const at = (id) => document.getElementById(id)

function show(state, word, mark) {
  state.value = word
  state.className = `state ${mark}`
}

/** The latest on top; the log keeps fifty. */
function log(list, text, note) {
  const line = document.createElement('li')
  const small = document.createElement('small')
  small.textContent = note
  line.append(small, text)
  list.prepend(line)
  while (list.children.length > 50) list.lastChild.remove()
}

// The WebSocket. Its first message tells the request that opened it; each further one answers the oldest one sent.
let socket
let sent = []

function connect() {
  socket?.close()
  const url = new URL('echo?greet', location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  at('echo-ended').textContent = ''
  const opened = new WebSocket(url, ['whisper', at('voice').value])
  socket = opened
  sent = []
  opened.binaryType = 'arraybuffer'
  opened.addEventListener(
    'message',
    ({ data: greeting }) => {
      show(at('echo-state'), 'open', 'open')
      at('greeting').textContent = introduction(JSON.parse(greeting))
      opened.addEventListener('message', ({ data }) => received(data))
    },
    { once: true },
  )
  opened.addEventListener('close', async ({ code, reason }) => {
    if (opened !== socket) return
    show(at('echo-state'), 'closed', 'closed')
    const why = await whyEnded()
    const isSites = code !== 1006 && reason !== ''
    at('echo-ended').textContent = isSites ? `The site closed it, and says: ${reason}.` : why
  })
}

/** In a sentence; whoever was signed out is told so at the top of the page as well. */
async function whyEnded() {
  const isSignedIn = at('visitor').querySelector('a') !== null
  try {
    const { status } = await fetch(isSignedIn ? '/.app-proxy/session' : location.href)
    if (!isSignedIn || status !== 401) return 'The connection was cut off. Load this page again.'
  } catch {
    return 'Nothing answers here any more. Load this page again in a moment.'
  }
  const again = document.createElement('a')
  again.href = location.href
  again.textContent = 'Sign in again'
  at('visitor').replaceChildren('Signed out · ', again)
  return 'You were signed out, here or in another application, so this was closed.'
}

function introduction({ protocol, rawHeaders }) {
  const field = (name) => rawHeaders.find(([one]) => one.toLowerCase() === name)?.[1]
  const who = field('x-user-name') ?? 'nobody in particular'
  return `Opened for ${who}. Offered whisper, ${at('voice').value}; agreed ${protocol}. Cookies that came along: ${field('cookie') ?? 'none'}.`
}

function send(data) {
  sent.push({ data, time: performance.now() })
  socket.send(data)
}

function received(data) {
  const { data: before, time } = sent.shift()
  const took = `${(performance.now() - time).toFixed(1)} ms`
  if (typeof data === 'string') return log(at('messages'), data, took)
  const octets = new Uint8Array(data)
  const isSame = octets.length === before.length && octets.every((octet, i) => octet === before[i])
  log(at('messages'), `${octets.length} octets, ${isSame ? 'the same' : 'changed'}`, took)
}

at('voice').addEventListener('change', connect)
at('say').addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN) return connect()
  send(at('text').value)
  at('text').value = ''
})
at('binary').addEventListener('click', () => {
  if (socket.readyState === WebSocket.OPEN) send(crypto.getRandomValues(new Uint8Array(65_536)))
})
connect()

// The event stream.
const stream = new EventSource('ticks?times=10')
let last
stream.addEventListener('open', () => show(at('ticks-state'), 'open', 'open'))
stream.addEventListener('error', () => {
  const isOver = stream.readyState === EventSource.CLOSED
  show(at('ticks-state'), isOver ? 'closed' : 'coming back', isOver ? 'closed' : '')
  if (isOver) whyEnded().then((why) => (at('ticks-ended').textContent = why))
})
stream.addEventListener('tick', ({ data }) => {
  const { number } = JSON.parse(data)
  const now = performance.now()
  at('tick').textContent = number
  const gap = last === undefined ? 'the first' : `${Math.round(now - last)} ms after the one before`
  log(at('ticks'), `Tick ${number}`, gap)
  last = now
})
