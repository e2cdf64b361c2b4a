"""Certificates as an operator would make them with openssl."""
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


class Authority:
    def __init__(self, folder, name):
        folder.mkdir(exist_ok=True)
        self.folder, self.name = folder, name
        self.certificate, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, common_name, alternative, usage):
        """Certificate and key, as paths; `alternative` is what subjectAltName says, or None."""
        key, request, extensions, out = (self.folder / f"{name}.{end}" for end in ("key", "csr", "ext", "pem"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={common_name}",
                "-keyout", key, "-out", request)
        lines = [f"extendedKeyUsage={usage}", "basicConstraints=critical,CA:FALSE"]
        lines += [f"subjectAltName={alternative}"] if alternative else []
        extensions.write_text("\n".join(lines) + "\n", encoding="utf-8")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", 2,
                "-extfile", extensions, "-out", out)
        key.chmod(0o600)
        return out, key


def serial(port):
    """The serial number of the certificate that a TLS listener shows."""
    shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=30, check=False).stdout
    done = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown, capture_output=True, timeout=30, check=True)
    return done.stdout.decode().strip()
