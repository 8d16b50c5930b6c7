/** The listener of the admin API at a path of the file system. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AdminRequestInfo } from '../../../src/cloud/admin/index.ts'
import {
  createAdminListener,
  SOCKET_PATH_OCTETS,
  type AdminListener,
} from '../../../src/cloud/node/index.ts'

let root: string
let path: string
let listener: AdminListener
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'app-proxy-socket-'))
  path = join(root, 'state', 'admin.sock')
  // Says whence a call came.
  listener = createAdminListener({ handle: (_, info) => Promise.resolve(Response.json(info)) })
})
afterEach(async () => {
  await listener.close()
  rmSync(root, { recursive: true, force: true })
})

async function call(headers: Record<string, string> = {}): Promise<AdminRequestInfo> {
  const asked = request({ socketPath: path, path: '/v1/me', headers, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return JSON.parse(text) as AdminRequestInfo
}

test('whoever calls there is at this machine, unless a proxy brought them', async () => {
  await listener.listenAt(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
  expect(await call()).toEqual({ remoteAddress: '127.0.0.1', isLocal: true })
  expect(await call({ 'x-forwarded-for': '192.0.2.1' })).toMatchObject({ isLocal: false })
  await listener.close()
  expect(existsSync(path)).toBe(false)
})

test('a socket that a killed process left is in nobody’s way', async () => {
  mkdirSync(dirname(path), { mode: 0o700 })
  const program = "require('net').createServer().listen(process.argv[1], () => console.log('on'))"
  const other = spawn(process.execPath, ['-e', program, path])
  await once(other.stdout, 'data')
  other.kill('SIGKILL')
  await once(other, 'exit')
  expect(statSync(path).isSocket()).toBe(true)
  await listener.listenAt(path)
  expect(await call()).toMatchObject({ isLocal: true })
})

test('it is not where others may enter, nor in the place of something else, nor too deep', async () => {
  mkdirSync(dirname(path), { mode: 0o700 })
  chmodSync(dirname(path), 0o755)
  await expect(listener.listenAt(path)).rejects.toThrow(/only its owner may have rights to it/)
  chmodSync(dirname(path), 0o700)
  writeFileSync(path, 'kept')
  await expect(listener.listenAt(path)).rejects.toThrow(/is there already, and is no socket/)
  expect(readFileSync(path, 'utf8')).toBe('kept')
  rmSync(path)
  const longest = join(root, 'x'.repeat(SOCKET_PATH_OCTETS - root.length - 1))
  await expect(listener.listenAt(`${longest}x`)).rejects.toThrow(
    `has ${SOCKET_PATH_OCTETS + 1} octets`,
  )
  await listener.listenAt(longest)
  expect(statSync(longest).isSocket()).toBe(true)
})
