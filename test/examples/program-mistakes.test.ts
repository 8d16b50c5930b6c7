/**
 * What the smaller example programs say of an operator's mistakes: each is one line that says where and what, and ends them with code 2, or 3 for what stands in its file.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { main as intranet } from '../../examples/intranet.ts'
import { main as registrarToken } from '../../examples/registrar-token.ts'
import { main as sts } from '../../examples/sts.ts'
import { readOptions } from '../../examples/demo/options.ts'
import type { Program } from '../../src/cli/program/program.ts'
import { expectLines, MistakenFolder } from '../cli/mistaken.ts'

const folder = new MistakenFolder()
const PRIVATE = { mode: 0o600 }
/** Answers, and is no issuer. */
const other = createServer((request, response) => {
  const isOther = request.url!.startsWith('/other/')
  response.writeHead(isOther ? 200 : 404, { 'content-type': 'application/json' })
  const endpoints = { authorization_endpoint: 'x', token_endpoint: 'x' }
  response.end(JSON.stringify(isOther ? { issuer: 'https://another.example', ...endpoints } : {}))
})
const otherUrl = () => `http://127.0.0.1:${(other.address() as AddressInfo).port}`
let closedUrl: string
beforeAll(async () => {
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  closedUrl = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  writeFileSync(folder.at('password'), 'wonderland', PRIVATE)
  writeFileSync(folder.at('open-password'), 'wonderland', { mode: 0o644 })
})
afterAll(() => {
  other.close()
  folder.remove()
})

const demo: Program = async (surroundings) => {
  await readOptions(surroundings)
  return 0
}
const PROGRAMS = {
  ...{ demo, intranet, sts },
  'registrar-token': registrarToken,
}
type Row = [program: keyof typeof PROGRAMS, argv: string, written: unknown, ...lines: string[]]

const token = '--audience x --username alice --out DIR/token'
const user = { username: 'alice', password: 'wonderland' }
const issuer = { tenantId: 'contoso', audience: 'x', users: [user], clients: [] }
const stsFile = '--config DIR/written.json'

// prettier-ignore
const ROWS: readonly Row[] = [
  ['sts', '', undefined, '--config: is missing'],
  ['sts', stsFile, { ...issuer, users: undefined, usrs: [user] }, 'DIR/written.json: usrs: is not known here; "users" was probably meant'],
  ['sts', stsFile, { ...issuer, users: [{ username: 'alice', pin: '1' }] }, 'DIR/written.json: users[0]: must have a password or a hash, and not both'],
  ['sts', stsFile, { ...issuer, users: [{ ...user, password: 7 }] }, 'DIR/written.json: users[0].password: must be a string, not a number'],
  ['sts', stsFile, { ...issuer, users: [user, user] }, 'DIR/written.json: users[1].username: is not unique'],
  ['sts', stsFile, { ...issuer, port: -1, issuer: 'sts' }, 'DIR/written.json: port: must be at least 0 (is -1)', 'DIR/written.json: issuer: must be an absolute URL (is "sts")'],
  ['sts', stsFile, { ...issuer, stateDir: 'DIR/password' }, 'DIR/written.json: stateDir: is not below a directory (is "DIR/password/sts-keys.json")'],
  ['registrar-token', `--issuer x ${token}`, undefined, '--password-file: is missing'],
  ['registrar-token', `--issuer x ${token} --password-file DIR/open-password`, undefined, '--password-file: holds a secret: only its owner may have rights to it (its mode is 0644: chmod 600) (is "DIR/open-password")'],
  ['registrar-token', `--issuer x ${token} --password-file DIR/password`, undefined, '--issuer: must be a URL (is "x")'],
  ['registrar-token', `--issuer CLOSED ${token} --password-file DIR/password`, undefined, '--issuer: cannot be reached (ECONNREFUSED) (is "CLOSED")'],
  ['registrar-token', `--issuer OTHER ${token} --password-file DIR/password`, undefined, '--issuer: is no issuer: it has no metadata at /.well-known/openid-configuration (status 404) (is "OTHER")'],
  ['registrar-token', `--issuer OTHER/other ${token} --password-file DIR/password`, undefined, '--issuer: calls itself "https://another.example" (is "OTHER/other")'],
  ['demo', '--prot 3 --https=yes', undefined, '--https: takes no value', '--prot: is not known here; "--port" was probably meant'],
  ['demo', '--port 99999 --publish mine', undefined, '--port: must be a number from 0 to 65535 (is "99999")', '--publish: must be NAME=URL (is "mine")'],
  ['demo', '--publish My=http://127.0.0.1:1', undefined, '--publish: NAME may hold a-z, 0-9 and "-" (is "My=http://127.0.0.1:1")'],
  ['demo', '--publish-open mine=ftp://x/', undefined, '--publish-open: must be an http or https URL without a query (is "mine=ftp://x/")'],
  ['demo', '--publish open=http://127.0.0.1:1', undefined, '--publish: open.localhost is published already'],
  ['demo', '--publish mine=http://127.0.0.1:1 --external-host yours', undefined, '--external-host: must name what --publish or --publish-open does (is "yours")'],
  ['demo', '--publish mine=http://me:secret@127.0.0.1:1', undefined, '--publish: must not hold credentials'],
  ['intranet', '--prt 3', undefined, '--prt: is not known here; "--port" was probably meant'],
  ['intranet', '--port many', undefined, '--port: must be a number from 0 to 65535 (is "many")'],
]

test.each<Row>(ROWS)('%s %s with %j: %s', async (name, argv, written, ...lines) => {
  const inFolder = (text: string) => text.replaceAll('DIR', folder.path)
  const text = typeof written === 'string' ? written : JSON.stringify(written)
  if (written !== undefined) writeFileSync(folder.at('written.json'), inFolder(text), PRIVATE)
  const there = (words: string) =>
    words.replaceAll('OTHER', otherUrl()).replaceAll('CLOSED', closedUrl)
  const given = there(argv)
    .split(' ')
    .filter((word) => word !== '')
  const ended = await folder.run(name, PROGRAMS[name], given.map(inFolder))
  expectLines(name, ended, lines.map(there))
})

test.each(Object.entries(PROGRAMS))('%s says what its options are', async (name, program) => {
  const { code, said, lines } = await folder.run(name, program, ['--help'])
  expect({ code, lines }).toEqual({ code: 0, lines: [] })
  expect(said[0]).toMatch(/^usage: .*\[options\]\n\n( {2}--.*\n)* {2}--help +print this$/)
})
