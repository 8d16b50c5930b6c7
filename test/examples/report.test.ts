import { expect, test } from 'vitest'
import { IN_PACKAGE, tableReport, type Ready } from '../../examples/demo/report.ts'

const dir = '/tmp/app-proxy-demo-AbCdEf'
const at = (id: string) => ({
  ...{ id, externalUrl: `http://${id}.localhost:41207/`, internalUrl: 'http://127.0.0.1:41208/' },
  preAuthentication: 'oidc' as const,
})
const user = (username: string) => ({ username, password: 'abcdefghijkl', pin: '1234' })
const READY: Ready = {
  applications: [at('intranet'), at('vault'), { ...at('open'), preAuthentication: 'passthrough' }],
  users: [user('alice'), user('bob'), user('carol')],
  robot: { id: 'r', secret: 's', scope: 'use', authorizationFile: `${dir}/authorization` },
  issuer: 'http://127.0.0.1:41209',
  connectorUrl: 'https://127.0.0.1:41210',
  bindings: { 'cloud-1': 'link' },
  caFile: `${dir}/cloud/server-ca.pem`,
  stateDir: dir,
}
const secure: Ready = {
  ...READY,
  applications: [...READY.applications, at('rpc')].map((one) => ({
    ...one,
    externalUrl: one.externalUrl.replace('http', 'https'),
  })),
  robot: { ...READY.robot, rpcAuthorizationFile: `${dir}/authorization-rpc` },
}

const several: Ready = {
  ...READY,
  instances: { 'cloud-1': 'https://127.0.0.1:41210', 'cloud-2': 'https://127.0.0.1:41211' },
}

test.each([
  ['plain HTTP', READY],
  ['plain HTTP, to two instances', several],
  ['TLS', secure],
])('what the demo says fits a terminal, over %s', (_, ready) => {
  const lines = tableReport(ready, true).split('\n')
  expect(lines.filter((line) => line.length > 80)).toEqual([])
})

test('the command of a program is one paste, and shows no secret', () => {
  const report = tableReport(READY, true)
  expect(report).toContain(
    `  curl -H @${dir}/authorization \\\n    http://intranet.localhost:41207/headers\n`,
  )
  expect(report).not.toContain('TOKEN')
})

test('a gRPC service is shown by how it is called, where there is one', () => {
  expect(tableReport(secure, true)).toContain(
    `  node --import tsx examples/rpc-call.ts https://rpc.localhost:41207/ you \\\n    --ca ${dir}/cloud/server-ca.pem \\\n    --authorization-file ${dir}/authorization-rpc\n`,
  )
  expect(tableReport(READY, true)).not.toContain('rpc-call')
})

test('where there are several instances, their operator is shown the way to them', () => {
  const report = tableReport(several, true)
  expect(report).toContain(
    `  node --import tsx src/cli/main.ts admin instances list \\\n    --state-dir ${dir}/cloud\n`,
  )
  expect(report).toMatch(/^  instances +cloud-1, cloud-2; nats-server is between them$/m)
  expect(tableReport(READY, true)).not.toContain('admin')
})

test('in a project of its own, the commands are those of the package', () => {
  const report = tableReport({ ...several, ...secure }, true, IN_PACKAGE)
  expect(report).toContain('  npx app-proxy demo --publish-open broken=')
  expect(report).toContain('  npx app-proxy admin instances list \\\n')
  expect(report).toContain('  node --import tsx node_modules/app-proxy/examples/rpc-call.ts https:')
  expect(report).not.toMatch(/npm run|src\/cli/)
})

test('a path that a shell would take apart is quoted', () => {
  const robot = { ...READY.robot, authorizationFile: "/tmp/it's here/authorization" }
  expect(tableReport({ ...READY, robot }, false)).toContain(
    `curl -H '@/tmp/it'\\''s here/authorization' \\`,
  )
})
