/** What looks like a secret, whoever's it is: names of what was found in a text. */
const LOOKS: readonly (readonly [string, RegExp])[] = [
  ['a token, or a sealed cookie', /eyJ[\w-]{8,}\./],
  ['a private key', /PRIVATE KEY/],
  ['a parameter of a sign-in', /[?&](?:code|state|nonce|id_token|access_token|code_verifier)=/],
  ['a cookie of ours', /app-proxy-(?:session|attempt)-[\w%.-]+=/],
  ['credentials', /\b(?:Bearer|Basic) [\w+/=.~-]{8,}/],
]

/** 132 random bits and more in base64url: a state, a nonce, a verifier, a key. Ids are shorter, serials and digests hexadecimal, codes of one case. */
const RANDOM = /[\w-]{22,}/g

export function secretLike(text: string): string[] {
  const found = LOOKS.filter(([, look]) => look.test(text)).map(([name]) => name)
  const random = (text.match(RANDOM) ?? []).filter(
    (run) => /[a-z]/.test(run) && /[A-Z]/.test(run) && /\d/.test(run),
  )
  return random.length === 0 ? found : [...found, `something random (${random[0]!.length})`]
}
