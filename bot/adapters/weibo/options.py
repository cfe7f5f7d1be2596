"""What an office writes of its application on Weibo, and how the application is granted an account."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bot.adapters.base import Options
from bot.errors import Refused
from bot.language import Say

OFFICIAL = "https://api.weibo.com"
HOSTS = {  # of which option → host beside the official one
    "business_url": "https://c.api.weibo.com",
    "remind_url": "https://rm.api.weibo.com",
    "upload_url": "https://upload.api.weibo.com",
}

Grant = Literal["update", "upload", "upload_url_text", "repost", "destroy", "long_text"]


class WeiboOptions(Options):
    """An application's own page in Weibo's console tells all of these."""

    app_key: str = ""
    app_secret_file: str = ""  # the path of a file that holds the App Secret
    redirect_uri: str = ""  # 授权回调页, exactly as registered
    access: Literal["ordinary", "business"] = "ordinary"
    grants: tuple[Grant, ...] = ()  # calls an ordinary application was granted besides
    safe_domains: tuple[str, ...] = ()  # 安全域名: `share` wants a link to one of them
    rip: str = ""  # the address this server is seen under from outside
    link_parameter: str = Field("gk", pattern=r"^[A-Za-z0-9_]*$")  # empty: links are left alone
    reserve: int = Field(0, ge=0, le=100)  # characters of the limit left unused
    calls_per_day: int = Field(100, ge=0)  # the console's figure; 0 is no quota
    url: str = OFFICIAL
    business_url: str = ""
    remind_url: str = ""
    upload_url: str = ""
    web_url: str = "https://weibo.com"  # where people read posts

    @field_validator("url", "business_url", "remind_url", "upload_url", "web_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        secure = parts.scheme == "https" or _is_here(parts.hostname or "")
        if value and not (secure and parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError(str(Say("要写 https:// 开头的地址")))
        return value.strip().rstrip("/")

    @field_validator("rip")
    @classmethod
    def _outside(cls, value: str) -> str:
        try:
            return str(ipaddress.IPv4Address(value)) if value else ""
        except ValueError:
            raise ValueError(str(Say("写本服务器的公网 IPv4 地址，如 211.156.0.1"))) from None

    @field_validator("safe_domains")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", domain) for domain in value):
            raise ValueError(str(Say("只写域名，如 www.example.gov.cn")))
        return tuple(domain.lower() for domain in value)

    def may(self, grant: Grant) -> bool:
        """Has the application this call? The business API has all; long text is a grant there too."""
        return grant in self.grants or (self.access == "business" and grant != "long_text")

    def host(self, name: str) -> str:
        """Another host than the main one: a stand-in for Weibo stands in for all of its hosts."""
        given: str = getattr(self, name)
        return given or (HOSTS[name] if self.url == OFFICIAL else self.url)


def _is_here(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")


def app_secret(options: WeiboOptions) -> str:
    """Raises Refused, saying what is missing in config.toml."""
    if not (options.app_key and options.redirect_uri and options.app_secret_file):
        raise Refused("请先在账号的 options 里写明 app_key、redirect_uri、app_secret_file")
    try:
        secret = Path(options.app_secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Refused("读不到应用密钥文件 {file}", file=options.app_secret_file) from None
    if not re.fullmatch(r"[!-~]+", secret):
        raise Refused("应用密钥文件 {file} 里不是一个 App Secret", file=options.app_secret_file)
    return secret
