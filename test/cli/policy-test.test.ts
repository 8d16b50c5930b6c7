import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  readDirectory,
  readPolicyCases,
  testPolicies,
  type PolicyCase,
} from '../../src/cloud/index.ts'

const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
const json = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(example(name), 'utf8'))
const cases = (await json('policies/cases.json')) as PolicyCase[]
const directory = readDirectory(await json('policies/directory.json'))

const run = (...args: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const argv = ['--import', 'tsx', 'src/cli/main.ts', 'policy', 'test', ...args]
    execFile(process.execPath, argv, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    )
  })

test('the example policies do what their cases say', async () => {
  const { code, stdout } = await run(
    example('policies/directory.json'),
    example('policies/cases.json'),
  )
  expect(stdout).toContain('✓ staff abroad: deny (policy-denies) by abroad')
  expect(stdout).toContain(
    '    managed-devices: deny, only reports, perhaps: not known is device.device_compliant',
  )
  expect(stdout).toContain('    vault-two-factor: step-up, not met')
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(`${cases.length} as expected, 0 not`)
  expect(code).toBe(0)
})

test("a case that is not as expected is shown, with the cloud's whole file too", async () => {
  const dir = await mkdtemp(join(tmpdir(), 'app-proxy-policies-'))
  try {
    await writeFile(join(dir, 'server.json'), JSON.stringify({ stateDir: 'state', directory }))
    await writeFile(join(dir, 'cases.json'), JSON.stringify([{ ...cases[0], expect: 'deny' }]))
    const { code, stdout } = await run(join(dir, 'server.json'), join(dir, 'cases.json'))
    expect(stdout).toContain('✗ staff in the office: allow by staff\n    expected deny by staff\n')
    expect(stdout).toContain('0 as expected, 1 not')
    expect(code).toBe(1)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

const NOW = Date.parse('2026-06-01T08:00:00Z')

test('a result names what matched, and what was expected', () => {
  const [result] = testPolicies(directory, [{ ...cases[2]!, policy: 'staff' }], NOW)
  expect(result).toEqual({
    name: 'staff abroad',
    isPassed: false,
    expected: { effect: 'deny', policy: 'staff', code: undefined },
    effect: 'deny',
    policy: 'abroad',
    code: 'policy-denies',
    reason: expect.stringContaining('travelling'),
    matched: [
      { policy: 'abroad', effect: 'deny', mode: 'enforced' },
      {
        policy: 'managed-devices',
        effect: 'deny',
        mode: 'report-only',
        unknown: ['device.device_compliant'],
      },
      { policy: 'staff', effect: 'allow', mode: 'enforced' },
    ],
  })
})

test.each<[string, unknown, string]>([
  ['no list', {}, 'cases: must be a list, not an object'],
  [
    'a misspelt member',
    [{ ...cases[0], adress: '::1' }],
    'cases[0].adress: is not known here; "address" was probably meant',
  ],
  ['no expectation', [{ ...cases[0], expect: undefined }], 'cases[0].expect: is missing'],
  [
    'an unknown application',
    [cases[0], { ...cases[0], application: 'x' }],
    'cases[1].application: names no application',
  ],
  ['a time that is none', [{ ...cases[0], at: 'noon' }], 'cases[0].at'],
])('%s is refused', (_, wrong, message) =>
  expect(() => readPolicyCases(directory, wrong, { at: 'cases' })).toThrow(message),
)
