"""What each rule of screening looks for, how grave it is by itself, and where that is laid down.

For the console and `gongkai rules`; docs/screening.md has it at length, under the rule's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bot.language import Say
from bot.model import Severity

BLOCK, WARN, NOTE = Severity.BLOCK, Severity.WARN, Severity.NOTE


class About(NamedTuple):
    """`severities`: those its findings have where the office chose none."""

    name: Say
    says: Say
    severities: tuple[Severity, ...]
    source: Say


ABOUT: Mapping[str, About] = {
    "secrecy-mark": About(
        Say("密级标志"),
        Say("密级标志：“机密★10年”等；不带星号、单独成行或加括号的也提醒"),
        (BLOCK, WARN),
        Say("《保守国家秘密法》第十四、二十、二十二条；GB/T 9704-2012 之 7.2.2"),
    ),
    "work-secret": About(
        Say("工作秘密"),
        Say("“工作秘密”标志"),
        (BLOCK, WARN),
        Say("《保守国家秘密法》第六十四条；实施条例第七十三条"),
    ),
    "internal-mark": About(
        Say("内部字样"),
        Say("内部资料、征求意见稿请勿外传、阅后即焚等字样"),
        (BLOCK, WARN),
        Say("机关通行做法"),
    ),
    "not-public": About(
        Say("不公开字样"),
        Say("此件不公开、依申请公开等公开属性"),
        (BLOCK, WARN),
        Say("国办发〔2016〕80号"),
    ),
    "identity-number": About(
        Say("身份证号"),
        Say("身份证号码；给出遮去几位的写法"),
        (BLOCK, WARN),
        Say("GB 11643-1999；《个人信息保护法》第二十八、五十一条"),
    ),
    "mobile": About(
        Say("手机号码"),
        Say("手机号码；座机和服务热线不算"),
        (WARN,),
        Say("《个人信息保护法》第四条"),
    ),
    "bank-card": About(
        Say("银行卡号"),
        Say("银行卡号：发卡前缀、位数和校验位都对的"),
        (BLOCK, WARN),
        Say("ISO/IEC 7812-1；《个人信息保护法》第二十八条"),
    ),
    "travel-document": About(
        Say("证件号码"),
        Say("写明是护照、通行证、居留证、军官证的号码"),
        (BLOCK,),
        Say("《出境入境管理法》；《个人信息保护法》第二十八条"),
    ),
    "plate": About(Say("车牌号码"), Say("车牌号码，新能源的也算"), (WARN,), Say("GA 36-2018")),
    "address": About(
        Say("个人住址"),
        Say("个人住址到门牌、户室、村组的；机关地址不算"),
        (WARN,),
        Say("《个人信息保护法》第二十八条；教财厅函〔2017〕28号"),
    ),
    "weekday": About(
        Say("日期与星期"), Say("日期与星期对不上；给出对的星期"), (WARN,), Say("日历")
    ),
    "impossible-date": About(
        Say("没有的日期"), Say("2月30日、25时等没有的日期和钟点"), (WARN,), Say("日历")
    ),
    "period": About(Say("起止颠倒"), Say("起止日期或时间颠倒"), (WARN,), Say("日历")),
    "law-name": About(
        Say("法律名称"),
        Say("《》里的法律名称有误，或引用已废止的法律"),
        (WARN,),
        Say("全国人大公布的法律目录"),
    ),
    "net-disk": About(Say("网盘链接"), Say("网盘链接"), (WARN,), Say("链接内容须由本单位管")),
    "broken-link": About(Say("写错的网址"), Say("写错了的网址"), (WARN,), Say("公众须能打开")),
    "personal-mail": About(
        Say("公众邮箱"), Say("公众邮箱用作公务联系"), (NOTE,), Say("机关通行做法")
    ),
    "relative-time": About(
        Say("相对日期"),
        Say("定时发布的稿件里写“今天”“明日”“本周五”"),
        (WARN,),
        Say("三审三校的通行做法"),
    ),
    "document-number": About(
        Say("发文字号写法"),
        Say("发文字号的括号、年份、“第”字写法不对；给出对的写法"),
        (WARN,),
        Say("GB/T 9704-2012 之 7.2.5"),
    ),
    "unpaired": About(
        Say("标点成对"), Say("括号、引号、书名号只有一半"), (WARN,), Say("GB/T 15834-2011")
    ),
    "sum": About(
        Say("合计"),
        Say("合计不等于各项之和；一句话里的几个数互相矛盾；大小写金额不符"),
        (WARN,),
        Say("三审三校的通行做法"),
    ),
    "region-wording": About(
        Say("涉疆域民族用语"),
        Say("涉台涉港澳、民族、领土用语不合规范"),
        (BLOCK, WARN),
        Say("新华社新闻信息报道中的禁用词和慎用词"),
    ),
    "organ-name": About(
        Say("机构名称"),
        Say("机构、会议名称和固定提法有误；改革前的旧名"),
        (BLOCK, WARN, NOTE),
        Say("2018年、2023年机构改革后的名称"),
    ),
    "typo": About(
        Say("错别字"),
        Say("常见错别字，看前后的字和词；少数旧写法只提示"),
        (WARN, NOTE),
        Say("系统自带词表，一部分由开放词典推算"),
    ),
    "repeated-post": About(
        Say("内容重复"),
        Say("与本账号发过的内容相同；大体相同的只提示"),
        (WARN, NOTE),
        Say("平台拒收重复内容；国办发〔2018〕123号"),
    ),
    "short-link": About(
        Say("短网址"),
        Say("短网址：审的人和看的人都不知道通到哪里"),
        (WARN,),
        Say("网址去向须看得见"),
    ),
    "private-link": About(
        Say("内网网址"), Say("只有内网打得开的网址"), (WARN,), Say("公众须能打开")
    ),
    "cut-link": About(
        Say("网址里的汉字"),
        Say("网址里有汉字：平台把链接断在汉字之前"),
        (WARN,),
        Say("平台只认 ASCII 的网址"),
    ),
    "dead-link": About(
        Say("打不开的链接"),
        Say("打不开的链接：404、410 或没有这个域名；[screening] dead_links = true 才查"),
        (WARN,),
        Say("《政府网站发展指引》（国办发〔2017〕47号）"),
    ),
    "unclear-link": About(
        Say("断不定的链接"),
        Say("从这里断不定打不打得开的链接；[screening] dead_links = true 才查"),
        (NOTE,),
        Say("《政府网站发展指引》（国办发〔2017〕47号）"),
    ),
    "topic": About(
        Say("话题写法"),
        Say("话题的写法不合账号的平台；平台会删去话题的阻止"),
        (WARN, BLOCK),
        Say("账号所在平台的规则"),
    ),
    "missing-alt": About(
        Say("图片替代文字"),
        Say("图片没有替代文字；账号要求必有的阻止"),
        (WARN, BLOCK),
        Say("《无障碍环境建设法》第三十二条"),
    ),
    "map-approval": About(
        Say("审图号"), Say("有地图而没有审图号"), (WARN,), Say("《地图管理条例》第十五至二十二条")
    ),
    "term": About(
        Say("本单位词表"),
        Say("本单位词表里的词语，级别各词自定"),
        (BLOCK, WARN, NOTE),
        Say("本单位"),
    ),
    "respectful-wording": About(
        Say("称谓用语"), Say("称谓不合规范或含歧视"), (WARN,), Say("《残疾人保障法》第三条")
    ),
    "leader-order": About(
        Say("领导排序"), Say("领导同志的排序或职务与名单不符"), (WARN,), Say("本单位的领导名单")
    ),
    "over-limit": About(
        Say("超过字数"), Say("超过平台的字数"), (BLOCK,), Say("账号所在平台的规则")
    ),
}
