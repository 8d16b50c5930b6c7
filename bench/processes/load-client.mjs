/**
 * The load generator where wrk and curl are not installed. One job, one line of JSON:
 * `load` keeps so many connections busy for so long, `download` reads and throws away, `upload` sends zeros.
 */
import { Agent, request as httpRequest } from 'node:http'
import { processOptions, say } from './process-options.mjs'

const { job, target, connections, seconds, bytes } = await processOptions()
const agent = new Agent({ keepAlive: true, maxSockets: connections ?? 1 })
const call = (method, more = {}) => {
  const headers = { host: target.host, ...(target.cookie && { cookie: target.cookie }), ...more }
  const { port, path } = target
  return httpRequest({ host: '127.0.0.1', port, path, method, agent, headers })
}
const jobs = { load, download, upload }
say(await jobs[job]())
process.exit(0)

async function load() {
  const start = performance.now()
  const latencies = []
  let errors = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() < start + seconds * 1000) {
        const asked = performance.now()
        const ok = await received(call('GET')).catch(() => false)
        if (ok === false) errors += 1
        latencies.push(performance.now() - asked)
      }
    }),
  )
  latencies.sort((a, b) => a - b)
  const at = (share) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]
  const requests = latencies.length
  const requestsPerSecond = requests / ((performance.now() - start) / 1000)
  return { requests, requestsPerSecond, p50Ms: at(0.5), p99Ms: at(0.99), errors }
}

async function download() {
  const start = performance.now()
  const got = await received(call('GET'))
  if (got !== bytes) throw new Error(`${got} of ${bytes} bytes came`)
  return { seconds: (performance.now() - start) / 1000 }
}

async function upload() {
  const start = performance.now()
  const sent = call('PUT', { 'content-length': bytes })
  const chunk = Buffer.alloc(64 * 1024)
  let left = bytes
  const more = () => {
    while (left > 0) {
      const piece = left < chunk.length ? chunk.subarray(0, left) : chunk
      left -= piece.length
      if (!sent.write(piece)) return
    }
    sent.end()
  }
  sent.on('drain', more)
  more()
  await received(sent, false)
  return { seconds: (performance.now() - start) / 1000 }
}

/** The bytes of a 200 answer. */
function received(call, end = true) {
  return new Promise((resolve, reject) => {
    call.on('response', (response) => {
      let count = 0
      response.on('data', (piece) => (count += piece.length))
      response.on('error', reject)
      response.on('end', () =>
        response.statusCode === 200 ? resolve(count) : reject(new Error(`${response.statusCode}`)),
      )
    })
    call.on('error', reject)
    if (end) call.end()
  })
}
