import io
import zipfile
from pathlib import Path


def write_folder(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def zip_bytes(files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


CSV_FILES = {
    "ml-x/ratings.csv": "userId,movieId,rating,timestamp\n2,30,4.5,200\n1,10,3.0,100\n1,30,0.5,101\n2,10,5.0,199\n",
    "ml-x/movies.csv": (
        'movieId,title,genres\n10,"American President, The (1995)",Comedy|Drama\n20,Unrated (1999),(no genres listed)\n'
        "30,Élan (2000),Drama\n"
    ),
    "ml-x/tags.csv": 'userId,movieId,tag,timestamp\n1,10,Funny,5\n2,10,funny ,6\n2,20,"slow, long",7\n',
    "ml-x/links.csv": "movieId,imdbId,tmdbId\n10,1,2\n",
}

DAT_FILES = {
    "ml-y/ratings.dat": "2::30::4.5::200\n1::10::3::100\n1::30::0.5::101\n2::10::5::199\n",
    "ml-y/movies.dat": (
        "10::American President, The (1995)::Comedy|Drama\n"
        "20::Un::rated (1999)::(no genres listed)\n30::Élan (2000)::Drama\n"
    ),
    "ml-y/tags.dat": "1::10::Funny::5\n2::10::funny::6\n2::20::slow:: long::7\n",
    "ml-y/users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n3::M::25::99::1\n",
}

_FLAGS = {"10": {5, 8}, "20": {0}, "30": {8}}
OLD_FILES = {
    "ml-z/u.data": "2\t30\t4\t200\n1\t10\t3\t100\n1\t30\t1\t101\n2\t10\t5\t199\n",
    "ml-z/u.item": "".join(
        f"{number}|{title}|01-Jan-1995||http://x/|"
        + "|".join("1" if g in _FLAGS[number] else "0" for g in range(19))
        + "\n"
        for number, title in (("10", "President, The (1995)"), ("20", "unknown"), ("30", "Élan (2000)"))
    ).encode("latin-1"),
    "ml-z/u.user": "1|24|M|technician|85711\n2|53|F|other|94043\n",
}
