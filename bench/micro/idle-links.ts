/** What a connector that is connected and quiet costs the cloud: the link alone, and with its TLS connection. */
import 'reflect-metadata'
import { createServer, connect, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createServerAuthority } from 'app-proxy/cloud'
import type { AcceptedLink } from 'app-proxy/protocol'
import { acceptedLink, dialledLink } from './link-pair.ts'
import { collect, done, usedBytes } from './measure.ts'

const LINKS = 10_000
/** As many over TLS, if there are descriptors for them; a quick run is content with fewer. */
const isQuick = process.env['BENCH_SAMPLE_MS'] === '10'
const TLS_LINKS = Math.min(isQuick ? 1_000 : LINKS, fileDescriptors() - 256)
const AT_ONCE = 100

const hello = () => dialledLink(() => undefined).takeOutput(Infinity)

if (process.argv[2] === 'dial') await dial(Number(process.argv[3]))
else {
  const alone = linksAlone()
  done('Idle links, bytes each at the cloud', [
    { name: `${LINKS} links in one process`, bytes: alone },
    await linksOverTls(),
  ])
}

function linksAlone(): number {
  const greeting = hello()
  const open = () => {
    const link = acceptedLink()
    for (const bytes of greeting) link.receive(bytes, 0)
    link.takeOutput(Infinity)
    return link
  }
  open() // what is made once is not counted
  const links: AcceptedLink[] = new Array<AcceptedLink>(LINKS)
  collect()
  const before = usedBytes()
  for (let at = 0; at < LINKS; at++) links[at] = open()
  collect()
  const each = (usedBytes() - before) / LINKS
  if (!links.every(({ state }) => state === 'open')) throw new Error('a link is not open')
  return each
}

/** The other ends are another process. */
async function linksOverTls() {
  let stored: unknown
  const authority = await createServerAuthority({
    store: { load: async () => stored as never, save: async (root) => void (stored = root) },
  })
  const { key, certificate: cert } = await authority.issue()
  const links = new Set<AcceptedLink>()
  const server = createServer({ key, cert }, (socket: TLSSocket) => {
    const link = acceptedLink()
    links.add(link)
    socket.on('data', (bytes) => {
      link.receive(bytes, 0)
      for (const out of link.takeOutput(Infinity)) socket.write(out)
    })
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = String((server.address() as AddressInfo).port)
  const child = fork(fileURLToPath(import.meta.url), ['dial', port], { execArgv: [] })
  const opened = async (count: number) => {
    // No more at once than wait well within the backlog.
    for (let left = count; left > 0; left -= AT_ONCE) {
      child.send(Math.min(left, AT_ONCE))
      await once(child, 'message')
    }
    // Let go of what the handshakes needed.
    await new Promise((later) => setTimeout(later, 500))
    collect()
    return { used: usedBytes(), resident: process.memoryUsage.rss() }
  }
  const before = await opened(50)
  const after = await opened(TLS_LINKS)
  child.disconnect()
  await once(child, 'exit')
  server.close()
  const resident = Math.round((after.resident - before.resident) / TLS_LINKS)
  return {
    name: `${TLS_LINKS} links over TLS connections`,
    bytes: (after.used - before.used) / TLS_LINKS,
    note: `resident: ${(resident / 1024).toFixed(0)} KiB each`,
  }
}

/** What this process may open; Node raises it to the most it may be. */
function fileDescriptors(): number {
  if (process.platform !== 'linux') return 1_000
  const [, soft = '1000'] = /^Max open files\s+(\d+)/m.exec(
    readFileSync('/proc/self/limits', 'utf8'),
  )!
  return Number(soft)
}

/** Opens as many as it is told to; ends, and they with it, when the parent lets go. */
async function dial(port: number): Promise<void> {
  const greeting = Buffer.concat(hello())
  process.on('disconnect', () => process.exit(0))
  process.on('message', (count) => {
    const opening = Array.from({ length: count as number }, async () => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
      socket.on('error', () => undefined)
      await once(socket, 'secureConnect')
      socket.write(greeting)
      await once(socket, 'data') // WELCOME
    })
    void Promise.all(opening).then(() => process.send!('open'))
  })
}
