/**
 * From nothing to a cloud that serves: the configuration that `cloud init` writes is checked, and run as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { Example } from '../integration/processes.ts'
import { commandIn, MistakenFolder } from './mistaken.ts'

const folder = new MistakenFolder()
const init = commandIn(folder, 'cloud init')
const check = commandIn(folder, 'cloud check')
const file = folder.at('cloud', 'cloud.jsonc')
afterAll(() => folder.remove())

/** What is written, with ports that are free here. */
function onFreePorts(users = 0): void {
  const text = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    text
      .replace(/"port": \d+ },\n\n {2}\/\/ Where conn/, `"port": ${users} },\n\n  // Where conn`)
      .replace('8443 }', '0 }'),
  )
}

test('it is written with comments, for its owner alone, and never over another', async () => {
  const written = await init(['--dir', folder.at('cloud')])
  expect([written.code, written.lines]).toEqual([0, []])
  expect(written.said[0]).toContain(`app-proxy cloud run --config ${file}`)
  const text = readFileSync(file, 'utf8')
  expect(text.match(/^ *\/\/ /gm)!.length).toBeGreaterThan(10)
  const again = await init(['--dir', folder.at('cloud')])
  expect(again.code).toBe(2)
  expect(again.lines).toEqual([
    'app-proxy cloud init: --dir: holds a configuration already (is "DIR/cloud/cloud.jsonc")',
  ])
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test('what would be served is told, and what is in the way', async () => {
  onFreePorts()
  const good = await check(['--config', file])
  expect([good.code, good.lines]).toEqual([0, []])
  expect(good.said.join('\n')).toContain(
    'ok   application app: http://app.localhost:8080/ leads to http://127.0.0.1:8081/ by group default, open to everybody',
  )
  // What is commented out is good as it stands.
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('// "admin": {}', '"admin": { "port": 0 }'))
  const withAdmin = await check(['--config', file])
  writeFileSync(file, text)
  expect(withAdmin.code).toBe(0)
  expect(withAdmin.said).toContain('ok   admin.port: any free port is taken')
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  onFreePorts(port)
  const inTheWay = await check(['--config', file, '--json'])
  taken.close()
  onFreePorts()
  expect(inTheWay.code).toBe(1)
  expect(JSON.parse(inTheWay.said[0]!)).toMatchObject({
    isGood: false,
    first: {
      what: 'users.port',
      result: 'wrong',
      detail: `127.0.0.1:${port} is in use by another process: choose another, or end what has it`,
    },
  })
})

test(
  'it runs as it is; a second one is refused, and the first is seen',
  { timeout: 60_000 },
  async () => {
    const cloud = await Example.start<{ usersUrl: string }>('cloud run', ['--config', file])
    try {
      const user = request(cloud.ready.usersUrl, { headers: { host: 'app.localhost:8080' } }).end()
      const [response] = (await once(user, 'response')) as [IncomingMessage]
      response.resume()
      // It is published, and no connector is there yet.
      expect(response.statusCode).toBe(504)
      const second = await commandIn(folder, 'cloud run')(['--config', file])
      expect(second.code).not.toBe(0)
      expect(second.lines.join('\n')).toMatch(/in use by process \d+|process \d+/)
      const seen = await check(['--config', file])
      expect(seen.code).toBe(0)
      expect(seen.said.join('\n')).toMatch(/^ok {3}stateDir: a cloud runs: .*process \d+/m)
      expect(seen.said.join('\n')).toMatch(/^ok {3}connector-authority\.pem: ends on 20\d\d-/m)
    } finally {
      expect(await cloud.stop()).toBe(0)
    }
  },
)
