/** Installation 1, at the administrator: a real sign-in at the real example issuer. */
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrarToken } from '../examples/registrar-token.ts'
import { ALICE, AUDIENCE, REGISTRAR, startSts, type StsProcess } from '../test/cloud/sts-process.ts'

let sts: StsProcess
beforeAll(async () => {
  sts = await startSts()
})
afterAll(() => sts.stop())

test('R1.1a an administrator signs in at the issuer, and a token is acquired', async () => {
  const token = await registrarToken({
    issuer: sts.issuer,
    audience: AUDIENCE,
    ...REGISTRAR,
    ...ALICE,
  })
  expect(decodeJwt(token)).toMatchObject({ iss: sts.issuer, aud: AUDIENCE, tid: 'contoso' })
})

test('R1.1a a wrong password acquires nothing', async () => {
  const wrong = { ...ALICE, password: 'not it' }
  await expect(
    registrarToken({ issuer: sts.issuer, audience: AUDIENCE, ...REGISTRAR, ...wrong }),
  ).rejects.toThrow()
})
