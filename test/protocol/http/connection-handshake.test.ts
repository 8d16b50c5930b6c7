import { describe, expect, test } from 'vitest'
import {
  bindingSchemes,
  handshakeAnswer,
  handshakeStep,
} from '../../../src/protocol/http/connection-handshake.ts'

test.each([
  [[], 'none'],
  [['Authorization', 'Basic YTpi'], 'none'],
  [['Authorization', 'Bearer ntlm.x.y'], 'none'],
  [['X-Authorization', 'NTLM abc'], 'none'],
  [['Authorization', 'NTLM TlRMTVNTUAABAAAAB4IIog=='], 'opens'],
  [['authorization', 'ntlm\tTlRMTVNTUAABAAAA'], 'opens'],
  [['Authorization', 'Negotiate TlRMTVNTUAABAAAA'], 'opens'],
  [['Authorization', 'Negotiate YIIFxgYGKwYBBQUC'], 'opens'],
  [['Authorization', 'Negotiate'], 'opens'],
  [['Authorization', 'Negotiate '], 'opens'],
  [['Proxy-Authorization', 'NTLM TlRMTVNTUAABAAAA'], 'opens'],
  [['Authorization', 'NTLM TlRMTVNTUAADAAAA'], 'continues'],
  [['AUTHORIZATION', 'Negotiate oXcwdaADCgEB'], 'continues'],
  [['Accept', '*/*', 'Authorization', 'Nego2 whatever'], 'continues'],
  [['Authorization', 'Basic YTpi', 'Authorization', 'NTLM TlRMTVNTUAADAAAA'], 'continues'],
] as const)('a request with %j: %s', (headers, step) => expect(handshakeStep(headers)).toBe(step))

describe('an answer', () => {
  test.each([
    [401, ['WWW-Authenticate', 'NTLM'], 'challenged'],
    [401, ['www-authenticate', 'Negotiate, NTLM, Basic realm="a"'], 'challenged'],
    [401, ['WWW-Authenticate', 'Basic realm="NTLM abc"'], 'plain'],
    [401, ['WWW-Authenticate', 'Basic realm="a, \\", NTLM abc"'], 'plain'],
    [401, ['WWW-Authenticate', 'Negotiate realm="x"'], 'challenged'],
    [401, ['WWW-Authenticate', 'NTLM TlRMTVNTUAACAAAA'], 'goesOn'],
    [401, ['WWW-Authenticate', 'Negotiate', 'WWW-Authenticate', 'ntlm\tTlRM=='], 'goesOn'],
    [401, ['WWW-Authenticate', 'Basic realm="a", Negotiate oRQw=, Digest nonce="b"'], 'goesOn'],
    [407, ['Proxy-Authenticate', 'NTLM TlRMTVNTUAACAAAA'], 'goesOn'],
    [401, ['WWW-Authenticate', 'Bearer'], 'plain'],
    [401, [], 'plain'],
    [401, ['Persistent-Auth', 'false'], 'plain'],
    [200, [], 'plain'],
    [200, ['WWW-Authenticate', 'Negotiate oRQwEqADCgEA'], 'authenticated'],
    [200, ['Persistent-Auth', 'true'], 'authenticated'],
    [302, [], 'plain'],
  ] as const)('%i with %j: %s', (status, headers, answer) =>
    expect(handshakeAnswer(status, headers, 'none')).toBe(answer),
  )

  test('that refuses nothing ends a handshake, whatever its status', () => {
    for (const status of [200, 204, 302, 404, 500, 101])
      for (const step of ['opens', 'continues'] as const)
        expect(handshakeAnswer(status, [], step)).toBe('authenticated')
    expect(handshakeAnswer(401, [], 'continues')).toBe('plain')
  })
})

test('names the schemes that bind, each once, without their tokens', () => {
  expect(
    bindingSchemes([
      ...['WWW-Authenticate', 'Negotiate, Basic realm="NTLM"', 'X-Other', 'Kerberos'],
      ...['www-authenticate', 'NTLM TlRMTVNTUAACAAAA', 'WWW-Authenticate', 'negotiate abc='],
    ]),
  ).toEqual(['negotiate', 'NTLM'])
  expect(bindingSchemes(['Authorization', 'Nego2 abc'])).toEqual(['Nego2'])
  expect(bindingSchemes(['WWW-Authenticate', 'Basic realm="x", Digest qop="a"'])).toEqual([])
})
