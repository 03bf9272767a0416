#!/usr/bin/env python3
"""Makes the two lists that `teehouse demo` compares when it is given none.

Two made-up organisations each have a list of e-mail addresses, in the order in which people signed up; a few hundred
people are on both. Every address is under a domain that RFC 2606 reserves, so that nobody real is on them.

    python3 scripts/demo_lists.py        writes crates/teehouse/demo/left.txt and right.txt, always the same
"""

import random
from pathlib import Path

FIRST = """ada adil agnes aisha akira alba alex amara amir ana anders anika anton aria arjun astrid aya beatriz bela ben
bianca bruno camille carla carlos cem chen chiara clara claude dalia dan daria david deniz diego dora edith elena eli
elias elif emil emma enzo erik esra eva fabian farah fatima felix finn fiona franz freya gabriel georg gita grace
greta hana hannah hassan hedda helena hugo ida igor ines ingrid irina iris isak ivan jakob jan jana jasmin joao johan
jonas jorge josef julia jun kai kamal karin karl katja kaya kenji kira klara lars laura layla lea leila lena leo li
lina linh lior livia lotta luca lucia luis magda maja malik mara marco maria marta mateo maya mei mila milan mina mira
mohamed nadia naoko nico nils nina noah nora olga oliver omar oscar paula pedro petra pia priya quinn rafael rahel
ravi remi rosa ruben ruth sami samira sara sven tara theo tim tomas uma vera viktor wei yara yusuf zoe""".split()

LAST = """abbas acar adams ahmed almeida alonso andersen arslan bailey baker bauer becker berg bianchi blanc bos braun
brown carvalho castro chan chandra christensen clark cohen costa cruz da-silva dahl das davies de-vries demir diaz
dubois duran eriksen evans fernandez ferrari fischer fontaine fuchs garcia gomez gonzalez green gruber gupta haas haddad
hall hansen harris hassan hoffmann horvat huang hughes ito ivanov iyer jansen jensen johansson jones joshi kaya keller
khan kim klein koch kovacs kowalski kumar lange larsen lee leroy lewis li lindberg liu lopez lund maier mancini martin
martins mehta mendes meyer moreau morgan moser mueller murphy nagy nakamura nguyen nielsen novak ochoa olsen ortiz
park patel pereira perez peters petrov pham popescu rao reyes ricci richter rivera roberts romano rossi russo saito
sanchez santos sato schmidt schneider schulz scott shah sharma silva singh smith sousa suzuki takahashi tan tanaka
taylor thomas torres tran turner ueda urban varga vidal vogel wagner walker wang weber weiss white wilson wolf wong
wright wu yamada yang yilmaz young zhang ziegler zimmermann""".split()

DOMAINS = ["example.com"] * 5 + ["example.net"] * 3 + ["example.org"] * 2 + [
    "post.example", "webmail.example", "mail.example.com", "uni.example.org", "studio.example.net",
]


def address(rng):
    first, last = rng.choice(FIRST), rng.choice(LAST)
    form = rng.choice(["{f}.{l}", "{f}.{l}", "{f}{l}", "{i}.{l}", "{l}.{f}", "{f}_{l}", "{f}.{l}{n}", "{f}{n}"])
    return form.format(f=first, l=last, i=first[0], n=rng.randint(1, 99)) + "@" + rng.choice(DOMAINS)


def people(rng, count):
    found = {}
    while len(found) < count:
        found[address(rng)] = None
    return list(found)


def main():
    rng = random.Random(2019)
    common, only_left, only_right = 387, 2843, 2216
    everyone = people(rng, common + only_left + only_right)
    both, rest = everyone[:common], everyone[common:]
    folder = Path(__file__).resolve().parent.parent / "crates" / "teehouse" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    for name, own in ("left.txt", rest[:only_left]), ("right.txt", rest[only_left:]):
        lines = both + own
        # Some sign up twice.
        lines += rng.sample(lines, 12)
        rng.shuffle(lines)
        (folder / name).write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
